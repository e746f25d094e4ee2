"""What the figures share: type that reads at print width, and files that repeat byte for byte."""

from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

WIDTH_MM = 180
MM_PER_INCH = 25.4
STYLE = {
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


def print_style() -> AbstractContextManager:
    """Matplotlib settings of every figure."""
    return mpl.rc_context(STYLE)


def size_inches(height_mm: float) -> tuple[float, float]:
    """Size of a figure of the page's width."""
    return WIDTH_MM / MM_PER_INCH, height_mm / MM_PER_INCH


def save(figure: Figure, png: str | Path, pdf: str | Path) -> None:
    """Write a figure as PNG (300 dpi) and PDF, without dates."""
    with print_style():
        figure.savefig(png, metadata={"Software": None})
        figure.savefig(pdf, metadata={"CreationDate": None})
