"""Tables and figures as HTML pages that need no other file, for a browser and for Snakemake's report."""

import base64
import hashlib
import re
from html import escape

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from cmrslices.presentation import tables

STYLE = """
body { margin: 1.5rem; font: 14px/1.5 system-ui, Helvetica, Arial, sans-serif; color: #1c2733; background: #fff; }
h1 { margin: 0 0 .5rem; font-size: 1.35rem; }
h2 { margin: 2rem 0 .4rem; font-size: 1.05rem; }
p { max-width: 60rem; margin: .3rem 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
thead { position: sticky; top: 0; background: #eef2f6; }
th, td { padding: .22rem .6rem; text-align: right; white-space: nowrap; border-top: 1px solid #e3e8ed; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; max-width: 9em; }
th[colspan] { text-align: center; }
.wide { font-size: 12px; }
.wide th, .wide td { padding: .22rem .4rem; }
img { display: block; width: 100%; max-width: 1100px; margin: .5rem 0 1.5rem; }
tbody tr:hover { background: #f5f8fb; }
@media print { body { margin: 0; font-size: 8pt; } thead { position: static; } th, td { padding: .1rem .3rem; } }
""".strip()
TEXT = "text-align: left;"
LONG = "min-width: 25em; max-width: 45em; white-space: normal; overflow-wrap: break-word;"
GROUP_COLUMN = "border-left: 1px solid #c3ccd5;"
GROUP_ROW = "border-top-color: #8796a5;"
NUMBER = re.compile(r"[-+]?\d")
WIDE_COLUMNS = 10
"""A table with more columns is set in a smaller type."""
LONG_CHARACTERS = 60
"""A column with a longer text is wrapped."""


def page(title: str, *parts: str) -> str:
    """A whole HTML document.

    Parameters
    ----------
    title : str
        Plain text.
    *parts : str
        HTML, as the functions below make it.
    """
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>\n{STYLE}\n</style>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def table_page(title: str, caption: str, cells: pd.DataFrame, bold: pd.DataFrame | None = None) -> str:
    """A page of one table under its caption; see `table`."""
    return page(title, paragraph(caption), table(cells, bold))


def figure_page(title: str, webp: bytes) -> str:
    """A page of one figure; see `picture`."""
    return page(title, picture(webp, title))


def heading(text: str) -> str:
    """A heading within a page."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def picture(webp: bytes, alternative: str) -> str:
    """A picture, held by the page itself, and the text where it cannot be seen."""
    content = base64.b64encode(webp).decode()
    return f'<img src="data:image/webp;base64,{content}" alt="{escape(alternative)}">'


def table(cells: pd.DataFrame, bold: pd.DataFrame | None = None) -> str:
    """A table of finished cells, drawn by pandas' Styler; columns of numbers are right-aligned.

    Parameters
    ----------
    cells : DataFrame of str
        Plain text, with one or two levels of column names; equal neighbours of the upper level are joined.
    bold : DataFrame of bool, optional
        The cells to print bold; it may have fewer columns than `cells`.
    """
    text = tables.marked(cells.map(escape), bold, "<b>", "</b>")
    text = text.rename(columns=escape)
    styler = Styler(text, cell_ids=False).hide(axis="index").set_table_styles(_styles(cells))
    if cells.shape[1] > WIDE_COLUMNS:
        styler.set_table_attributes('class="wide"')
    # Two tables of a page must not share a name, and a page made again must have the same bytes.
    return styler.to_html(table_uuid=hashlib.sha256(text.to_csv().encode()).hexdigest()[:8])


def _styles(cells: pd.DataFrame) -> list[dict[str, str]]:
    """CSS that sets columns and rows off, by the classes that the Styler gives them: ``col0``, ``row0`` and so on."""
    opening = _group_columns(cells.columns)
    columns = [
        _column_style(cells.iloc[:, index]) + (GROUP_COLUMN if index in opening else "")
        for index in range(cells.shape[1])
    ]
    styles = {f".col{index}": style for index, style in enumerate(columns) if style}
    styles |= {f".row{index}": GROUP_ROW for index in _group_rows(cells.iloc[:, 0])}
    return [{"selector": selector, "props": style} for selector, style in styles.items()]


def _column_style(cells: pd.Series) -> str:
    values = [value for value in cells if value]
    numeric = values and all(NUMBER.match(value) for value in values)
    long = any(len(value) > LONG_CHARACTERS for value in values)
    return ("" if numeric else TEXT) + (LONG if long else "")


def _group_columns(names: pd.Index) -> set[int]:
    """Columns whose upper name, where there is one, differs from the one before."""
    upper = names.get_level_values(0) if names.nlevels == 2 else []
    return {index for index in range(1, len(upper)) if upper[index] and upper[index] != upper[index - 1]}


def _group_rows(first: pd.Series) -> list[int]:
    """Rows whose first cell differs from the one above, where several rows share one."""
    starts = (first != "") & (first != first.shift())
    return [] if starts.all() else np.flatnonzero(starts).tolist()
