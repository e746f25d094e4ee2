"""What all figures have in common: a type size for print, and files that repeat byte for byte."""

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

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
PAGE_DPI, PAGE_WEBP = 160, {"quality": 85, "use_sharp_yuv": True}
"""Resolution and compression of a figure in an HTML page. Browsers show pages of up to 2 MB in Snakemake's report."""
UNDATED = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}


def print_style() -> AbstractContextManager:
    """Matplotlib settings of every figure."""
    return mpl.rc_context(STYLE)


def size_inches(height_mm: float) -> tuple[float, float]:
    """Size of a figure of the page's width."""
    return WIDTH_MM / MM_PER_INCH, height_mm / MM_PER_INCH


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
