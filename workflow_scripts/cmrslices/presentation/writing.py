"""A table, written in every format that is asked for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from cmrslices.presentation import pages, tables

Files = Sequence[str | Path]
"""Files of one table or figure; the ending of each says in which format it is written."""


def write_table(
    files: Files,
    numbers: pd.DataFrame,
    title: str,
    caption: str,
    cells: pd.DataFrame,
    bold: pd.DataFrame | None = None,
    label: str | None = None,
) -> None:
    """Write a table for programs (``.csv``) and for readers (``.md``, ``.html``, ``.tex``).

    Parameters
    ----------
    files : Files
    numbers : DataFrame
        The tidy table: six significant digits are written.
    title, caption : str
        Plain text.
    cells : DataFrame of str
        The table as readers see it.
    bold : DataFrame of bool, optional
        The cells to print bold; it may have fewer columns than `cells`.
    label : str, optional
        LaTeX's label. A table that has one is numbered, as in the paper: its title opens the caption in Markdown, too.
    """
    formats = {
        ".csv": lambda: tables.csv(numbers),
        ".md": lambda: tables.markdown(cells, f"{title}. {caption}" if label else caption, bold),
        ".html": lambda: pages.table_page(title, caption, cells, bold),
        ".tex": lambda: tables.latex(cells, caption, label, bold),
    }
    write_text(files, formats)


def write_long_table(
    files: Files, numbers: pd.DataFrame, title: str, caption: str, cells: pd.DataFrame, label: str
) -> None:
    """Write a table that has more rows than a printed page; the arguments are those of `write_table`."""
    formats = {
        ".csv": lambda: tables.csv(numbers),
        ".md": lambda: tables.markdown(cells, caption),
        ".html": lambda: pages.table_page(title, caption, cells),
        ".tex": lambda: tables.long_latex(cells, caption, label),
    }
    write_text(files, formats)


def write_text(files: Files, formats: Mapping[str, Callable[[], str]]) -> None:
    """Write each file with what the function of its ending gives.

    Parameters
    ----------
    files : Files
    formats : dict of ending to function
        An ending is written with its dot; a format that no file has is not made.
    """
    for file in map(Path, files):
        file.write_text(formats[file.suffix](), encoding="utf-8")
