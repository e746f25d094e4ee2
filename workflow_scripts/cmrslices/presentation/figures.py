"""What all figures have in common: a type size for print, and files that repeat byte for byte."""

import io
import itertools
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cmrslices.presentation import pages
from cmrslices.presentation.writing import Files, write_text

WIDTH_MM = 180
MM_PER_INCH = 25.4
STYLE: dict[Any, Any] = {
    "figure.dpi": 300,
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
}
COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#000000")
"""Okabe and Ito's colours, which the colour-blind tell apart, in the order of the paper's Figure 2."""
MARKERS = "osD^"
MARKER_SIZE = 3.4
PAGE_DPI, PAGE_WEBP = 160, {"quality": 85, "use_sharp_yuv": True}
"""Resolution and compression of a figure in an HTML page. Browsers show pages of up to 2 MB in Snakemake's report."""
UNDATED = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}


def print_style() -> AbstractContextManager:
    """Matplotlib settings of every figure, whatever a configuration file or another library has set."""
    return style.context(["default", STYLE])


def size_inches(height_mm: float) -> tuple[float, float]:
    """Size of a figure of the page's width."""
    return WIDTH_MM / MM_PER_INCH, height_mm / MM_PER_INCH


def looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the colour and the marker of each name; the markers change when the colours begin anew.

    Examples
    --------
    >>> drawn = looks(f"approach {number}" for number in range(8))
    >>> drawn["approach 0"], drawn["approach 7"]
    (('#0072B2', 'o'), ('#0072B2', 's'))
    """
    pairs = ((colour, marker) for marker in MARKERS for colour in COLOURS)
    return dict(zip(names, itertools.cycle(pairs), strict=False))


def legend_line(label: str, colour: str, marker: str) -> Line2D:
    """Return how a legend shows a line with points."""
    return Line2D([], [], color=colour, marker=marker, markersize=MARKER_SIZE, linewidth=1.1, label=label)


def legend_below(figure: Figure, handles: list[Line2D]) -> None:
    """Put a legend below the panels, in as many columns, at most three, as the page holds; the figure grows by it."""
    for columns in (3, 2, 1):
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns)
        extent = legend.get_window_extent()
        if extent.width <= figure.bbox.width:
            break
        if columns > 1:
            legend.remove()
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + extent.height / figure.dpi)


def save(figure: Figure, *paths: str | Path) -> None:
    """Write a figure as PNG (300 dpi) or PDF, by the paths' suffixes, without dates."""
    with print_style():
        for path in paths:
            figure.savefig(path, metadata=UNDATED[Path(path).suffix])


def write_figure(files: Files, title: str, figure: Figure) -> None:
    """Write a figure as ``.png`` and ``.pdf``, and as an ``.html`` page that holds it under its title."""
    for file in files:
        if Path(file).suffix == ".html":
            write_text([file], {".html": lambda: pages.figure_page(title, web_picture(figure))})
        else:
            save(figure, file)


def web_picture(figure: Figure) -> bytes:
    """A figure as WebP, for an HTML page."""
    content = io.BytesIO()
    with print_style():
        figure.savefig(content, format="webp", dpi=PAGE_DPI, pil_kwargs=PAGE_WEBP)
    return content.getvalue()
