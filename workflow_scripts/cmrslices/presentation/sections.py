"""A document of several questions: each a table under its caption, as Markdown and as an HTML page."""

from typing import NamedTuple

import pandas as pd

from cmrslices.presentation import pages, tables


class Section(NamedTuple):
    """A question, how its table is read, the finished cells, which of them are bold, and what is said below."""

    title: str
    caption: str
    cells: pd.DataFrame
    bold: pd.DataFrame
    note: str = ""


def sections_markdown(intro: str, parts: list[Section]) -> str:
    """The introduction and the sections as Markdown."""
    texts = [f"## {part.title}\n\n{tables.markdown(part.cells, part.caption, part.bold, part.note)}" for part in parts]
    return "\n".join([f"{intro}\n", *texts])


def sections_page(title: str, intro: str, parts: list[Section]) -> str:
    """The introduction and the sections as an HTML page."""
    body = [
        (
            pages.heading(part.title),
            pages.paragraph(part.caption),
            pages.table(part.cells, part.bold),
            *map(pages.paragraph, filter(None, [part.note])),
        )
        for part in parts
    ]
    return pages.page(title, pages.paragraph(intro), *(text for texts in body for text in texts))


def answer_cell(row: pd.Series, mark: str = "") -> str:
    """An answer with its interval, a mark, and the lowest and the highest run where there are several.

    Parameters
    ----------
    row : Series
        estimate, low, high, runs, lowest_run and highest_run.
    mark : str, optional

    Examples
    --------
    >>> answer_cell(pd.Series({"estimate": 1.0, "low": 0.5, "high": 1.5, "runs": 3, "lowest_run": 0, "highest_run": 2}))
    '1.00 [0.50, 1.50] (0.00 to 2.00)'
    """
    value = tables.with_interval(row["estimate"], row["low"], row["high"])
    lowest, highest = tables.number(row["lowest_run"]), tables.number(row["highest_run"])
    return f"{value}{mark} ({lowest} to {highest})" if row["runs"] > 1 else f"{value}{mark}"
