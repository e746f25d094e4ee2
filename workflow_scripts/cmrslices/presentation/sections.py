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
