"""Tables as text: CSV of the numbers; Markdown and LaTeX of finished cells, which are what readers see."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

STAR = "*"
"""Mark of what is significant by the paper's test."""
DAGGER = "†"
"""Mark of what also holds with patients as the unit."""
PACKAGES = "% \\usepackage{adjustbox,booktabs}\n"
LONG_PACKAGES = "% \\usepackage{booktabs,longtable}\n"
LATEX_CHARACTERS = str.maketrans(
    {character: f"\\{character}" for character in "&%_#${}"}
    | {"\\": r"\textbackslash{}", "<": "$<$", DAGGER: r"\textdagger{}"}
)


def number(value: float, decimals: int = 2) -> str:
    """A number with fixed decimals, zero without a sign; empty where it is undefined."""
    return "" if pd.isna(value) else f"{value:z.{decimals}f}"


def mean_sd(mean: float, sd: float, marks: str = "") -> str:
    """``mean (SD)`` as the paper prints it, with marks behind the mean; empty without a mean."""
    return "" if pd.isna(mean) else f"{number(mean)}{marks} ({number(sd)})"


def with_interval(value: float, low: float, high: float) -> str:
    """``value [low, high]``; without bounds only the value, and empty without a value."""
    bounds = "" if pd.isna(low) else f" [{number(low)}, {number(high)}]"
    return f"{number(value)}{bounds}"


def marks(significant: bool, holds: bool) -> str:
    """The marks of a mean: `STAR` and `DAGGER`, where they are due."""
    return (STAR if significant else "") + (DAGGER if holds else "")


def words(value: object) -> str:
    """A tidy table's value as text: a number with two decimals, yes or no, empty where it is undefined."""
    if pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def tidy_cells(table: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A tidy table's cells, row by row; in the columns of `titles`, names are replaced by their titles."""
    named = table.assign(**{column: titled(table[column], names) for column, names in titles.items()})
    return named.map(words).rename(columns=lambda name: name.replace("_", " "))


def titled(names: pd.Series, titles: Mapping[str, str]) -> pd.Series:
    """The names' titles; a name without a title stays as it is."""
    return names.astype(str).map(lambda name: titles.get(name, name))


def test_data(scores: pd.DataFrame, cohorts: Mapping[str, str]) -> str:
    """Number of patients and labelled slices of each cohort, as part of a caption."""
    carried = scores.dropna(subset="dsc")
    counts = []
    for cohort, title in cohorts.items():
        part = carried[carried["cohort"] == cohort]
        slices = len(part[["case", "slice"]].drop_duplicates())
        counts.append(f"{title} n = {part['patient'].nunique()} patients, {slices} slices")
    return "; ".join(counts)


def sparse(names: pd.Series) -> pd.Series:
    """The names with those equal to the row above left blank."""
    return names.where(names != names.shift(), "")


def csv(numbers: pd.DataFrame) -> str:
    """A tidy table as CSV, with six significant digits."""
    return numbers.to_csv(index=False, float_format="%.6g")


def markdown(cells: pd.DataFrame, caption: str, bold: pd.DataFrame | None = None, note: str = "") -> str:
    """A Markdown table under its caption.

    Parameters
    ----------
    cells : DataFrame of str
        With one or two levels of column names.
    caption : str
        Plain text.
    bold : DataFrame of bool, optional
        The cells to print bold; it may have fewer columns than `cells`.
    note : str, optional
        Plain text below the table.
    """
    text = marked(cells.map(_markdown_text), bold, "**", "**")
    headers = [_markdown_text(" ".join(filter(None, column))) for column in _header_levels(cells)]
    body = text.to_markdown(index=False, headers=headers, disable_numparse=True)
    below = f"\n{_markdown_text(note)}\n" if note else ""
    return f"{_markdown_text(caption)}\n\n{body}\n{below}"


def latex(cells: pd.DataFrame, caption: str, label: str | None, bold: pd.DataFrame | None = None) -> str:
    r"""A LaTeX table (booktabs) with a caption and a label; the arguments are those of `markdown`."""
    text = marked(cells.map(_latex_text), bold, r"\textbf{", "}")
    text.columns = pd.MultiIndex.from_tuples([tuple(map(_latex_text, c)) for c in _header_levels(cells)])
    if cells.columns.nlevels == 1:
        text.columns = text.columns.get_level_values(0)
    body = text.style.hide(axis="index").to_latex(
        hrules=True,
        column_format="l" * text.shape[1],
        multicol_align="c",
        caption=_latex_text(caption),
        label=label,
        position_float="centering",
    )
    fitted = body.replace(r"\begin{tabular}", "\\begin{adjustbox}{max width=\\linewidth}\n\\begin{tabular}")
    return PACKAGES + fitted.replace(r"\end{tabular}", "\\end{tabular}\n\\end{adjustbox}")


def long_latex(cells: pd.DataFrame, caption: str, label: str) -> str:
    r"""A LaTeX table in small type that goes on over several pages (longtable).

    Parameters
    ----------
    cells : DataFrame of str
        With one level of column names.
    caption : str
        Plain text; it stands on the first page only.
    label : str
    """
    first = _latex_text(caption)
    text = cells.map(_latex_text).rename(columns=_latex_text)
    body = text.style.hide(axis="index").to_latex(
        hrules=True, environment="longtable", column_format="l" * text.shape[1], caption=first, label=label
    )
    body = body.replace(f"\\caption[]{{{first}}}", "\\caption[]{Continued.}")
    return f"{LONG_PACKAGES}\\begingroup\n\\scriptsize\n\\setlength{{\\tabcolsep}}{{3pt}}\n{body}\\endgroup\n"


def marked(text: pd.DataFrame, bold: pd.DataFrame | None, before: str, after: str) -> pd.DataFrame:
    """Cells of which the bold ones have a mark before and after them.

    Parameters
    ----------
    text : DataFrame of str
        Escaped for the format that the marks belong to.
    bold : DataFrame of bool or None
        It may have fewer columns than `text`.
    before, after : str
    """
    text = text.astype(object)
    if bold is None:
        return text
    return text.mask(bold.reindex(columns=text.columns, fill_value=False), before + text + after)


def _header_levels(cells: pd.DataFrame) -> list[tuple[str, ...]]:
    return [column if isinstance(column, tuple) else (column,) for column in cells.columns]


def _markdown_text(text: str) -> str:
    return re.sub(r"([\\*_|])", r"\\\1", text)


def _latex_text(text: str) -> str:
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", text.translate(LATEX_CHARACTERS))
