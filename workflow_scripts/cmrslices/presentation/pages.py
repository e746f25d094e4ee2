"""Tables and figures as HTML pages that need no other file, for a browser and for Snakemake's report."""

import base64
import re
from html import escape

import pandas as pd

STYLE = """
body { margin: 1.5rem; font: 14px/1.5 system-ui, Helvetica, Arial, sans-serif; color: #1c2733; background: #fff; }
h1 { margin: 0 0 .5rem; font-size: 1.35rem; }
h2 { margin: 2rem 0 .4rem; font-size: 1.05rem; }
p { max-width: 60rem; margin: .3rem 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
thead { position: sticky; top: 0; background: #eef2f6; }
th, td { padding: .22rem .6rem; text-align: right; white-space: nowrap; border-top: 1px solid #e3e8ed; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; max-width: 9em; }
th.span { text-align: center; border-left: 1px solid #c3ccd5; }
.text { text-align: left; }
.long { min-width: 25em; max-width: 45em; white-space: normal; overflow-wrap: break-word; }
.first { border-left: 1px solid #c3ccd5; }
.group > td { border-top-color: #8796a5; }
.wide { font-size: 12px; }
.wide th, .wide td { padding: .22rem .4rem; }
img { display: block; width: 100%; max-width: 1100px; margin: .5rem 0 1.5rem; }
tbody tr:hover { background: #f5f8fb; }
@media print { body { margin: 0; font-size: 8pt; } thead { position: static; } th, td { padding: .1rem .3rem; } }
""".strip()
NUMBER = re.compile(r"[-+]?\d")
WIDE_COLUMNS = 10
LONG_CHARACTERS = 60
"""More columns are set smaller; a column of longer texts wraps."""


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
    """A table of finished cells; columns of numbers are right-aligned.

    Parameters
    ----------
    cells : DataFrame of str
        With one or two levels of column names; an empty upper level joins no columns.
    bold : DataFrame of bool, optional
        The cells to print bold; it may have fewer columns than `cells`.
    """
    classes = [" ".join(_classes(cells, index)) for index in range(cells.shape[1])]
    text = cells.map(escape).astype(object)
    if bold is not None:
        text = text.mask(bold.reindex(columns=cells.columns, fill_value=False), "<b>" + text + "</b>")
    rows = [
        f"<tr{_attribute('group' if starts else '')}>{_row('td', values, classes)}</tr>"
        for values, starts in zip(text.itertuples(index=False, name=None), _group_starts(cells), strict=True)
    ]
    opening = f"<table{_attribute('wide' if cells.shape[1] > WIDE_COLUMNS else '')}>"
    return "\n".join([opening, "<thead>", *_header(cells, classes), "</thead>", "<tbody>", *rows, "</tbody></table>"])


def _header(cells: pd.DataFrame, classes: list[str]) -> list[str]:
    if cells.columns.nlevels == 1:
        return [f"<tr>{_row('th', map(escape, cells.columns), classes)}</tr>"]
    upper, lower = cells.columns.get_level_values(0), cells.columns.get_level_values(1)
    spans, index = [], 0
    while index < len(upper):
        width = 1
        while upper[index] and index + width < len(upper) and upper[index + width] == upper[index]:
            width += 1
        kind = f' class="span" colspan="{width}"' if upper[index] else ""
        spans.append(f"<th{kind}>{escape(upper[index])}</th>")
        index += width
    return [f"<tr>{''.join(spans)}</tr>", f"<tr>{_row('th', map(escape, lower), classes)}</tr>"]


def _row(tag: str, values: object, classes: list[str]) -> str:
    return "".join(f"<{tag}{_attribute(name)}>{value}</{tag}>" for value, name in zip(values, classes, strict=True))


def _attribute(name: str) -> str:
    return f' class="{name}"' if name else ""


def _classes(cells: pd.DataFrame, index: int) -> list[str]:
    """Text is set left; a column that opens a group of columns has a rule before it."""
    values = [value for value in cells.iloc[:, index] if value]
    names = [] if values and all(NUMBER.match(value) for value in values) else ["text"]
    names += ["long"] if any(len(value) > LONG_CHARACTERS for value in values) else []
    if cells.columns.nlevels == 2 and index:
        upper = cells.columns.get_level_values(0)
        names += ["first"] if upper[index] and upper[index] != upper[index - 1] else []
    return names


def _group_starts(cells: pd.DataFrame) -> pd.Series:
    """Rows whose first cell differs from the one above, where several rows share one."""
    first = cells.iloc[:, 0]
    starts = (first != "") & (first != first.shift())
    return starts & ~starts.all()
