"""Answers laid out for readers: a table for each question, and the agreement with the paper."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from cmrslices.evaluation.cells import ALL_LABELS
from cmrslices.evaluation.intervals import LEVEL
from cmrslices.evaluation.statistics import WHOLE_HEART
from cmrslices.presentation import pages, tables

QUESTIONS = {
    "gap": ("Is there a gap?", "The baseline's middle minus its base and apex, in points of DSC %."),
    "change": ("What does an approach change?", "Approach minus baseline, in points of DSC %."),
    "share": (
        "How much of the gap is that?",
        "The change at an end, in % of the baseline's gap there, where the gap's interval is above 0.",
    ),
    "left": ("How far is the upper bound?", "Upper bound minus approach, in points of DSC %."),
    "missed": (
        "How often is a label missed altogether?",
        "Slices that carry the label and of which nothing is found (DSC 0), in %.",
    ),
}
CLASSIFIER = {
    "errors": "errors (%)",
    "right": "change, right",
    "right_bound": "bound, right",
    "wrong": "change, wrong",
    "wrong_bound": "bound, wrong",
    "break_even": "break-even (%)",
}
"""Question to its column in the table about the classifier."""
CLASSIFIER_QUESTION = (
    "How good must the classifier be?",
    "Errors: slices whose region it misses. Change and bound: the routed approach and the upper bound against the "
    "baseline, in points of DSC %, on the slices whose region it names (right) or misses (wrong). Break-even: the "
    "errors at which the routed approach would equal the baseline if both changes stayed what they are.",
)
TESTED = ["gap", "change", "share", "left", "right", "right_bound", "wrong", "wrong_bound"]
"""Questions for which 0 means that there is no difference."""
LABEL_TITLES = {ALL_LABELS: "all (mean)"}
REGION_TITLES = {WHOLE_HEART: "whole heart"}


class Section(NamedTuple):
    """A question, how its table is read, the finished cells, and which of them are bold."""

    title: str
    caption: str
    cells: pd.DataFrame
    bold: pd.DataFrame


def introduction(found: pd.DataFrame, cohorts: Mapping[str, str]) -> str:
    """What the intervals are about, and how many patients and seeds there are.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    cohorts : dict of name to title
    """
    seeds = found["seeds"].max()
    about = found.groupby("cohort", sort=False, observed=True)["patients"].max()
    data = "; ".join(f"{cohorts[cohort]} n = {patients} patients" for cohort, patients in about.items())
    over = f"patients and {seeds} seeds" if seeds > 1 else "patients; with one seed they say nothing about others"
    return (
        f"{LEVEL:.0%} intervals over {over}. Bold: a difference whose interval excludes 0. Means are over the slices "
        f"that carry the label; all is the mean over the labels. {data}."
    )


def sections(found: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> list[Section]:
    """A table for each question that has an answer.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    cohorts, approaches : dict of name to title
    """
    named = _titled(found, cohorts, approaches)
    parts = [(named[named["question"] == question], "region", *text) for question, text in QUESTIONS.items()]
    classifier = named[named["question"].isin(CLASSIFIER)]
    measured = classifier.assign(measure=classifier["question"].map(CLASSIFIER))
    parts.append((measured, "measure", *CLASSIFIER_QUESTION))
    return [_section(*table) for table in parts if table[0]["estimate"].notna().any()]


def answers_markdown(intro: str, parts: list[Section]) -> str:
    """The introduction and the sections as Markdown."""
    texts = [f"## {part.title}\n\n{tables.markdown(part.cells, part.caption, part.bold)}" for part in parts]
    return "\n".join([f"{intro}\n", *texts])


def answers_page(intro: str, parts: list[Section]) -> str:
    """The introduction and the sections as an HTML page."""
    body = [
        (pages.heading(part.title), pages.paragraph(part.caption), pages.table(part.cells, part.bold)) for part in parts
    ]
    return pages.page("What the numbers say", pages.paragraph(intro), *(text for texts in body for text in texts))


def agreement_caption(beside: pd.DataFrame) -> str:
    """How the agreement is read, with the number of cells of each verdict.

    Parameters
    ----------
    beside : DataFrame
        As `agreement` gives it.
    """
    counts = "; ".join(f"{verdict}: {count}" for verdict, count in beside["verdict"].value_counts().items())
    return (
        "Gaps and changes beside the paper's Tables 1 and 3, in points of DSC %. The paper's are significant at "
        f"p < 0.01 by t-tests that take slices as independent; ours count where the {LEVEL:.0%} interval over patients "
        f"and seeds excludes 0. Cells by verdict: {counts or 'none'}."
    )


def agreement_cells(beside: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> pd.DataFrame:
    """The agreement's finished cells; arguments as in `sections`."""
    named = _titled(beside, cohorts, approaches)
    named["ours"] = [_cell(*row) for row in beside[["ours", "low", "high"]].itertuples(index=False)]
    return tables.tidy_cells(named.drop(columns=["low", "high"]), {})


def _titled(table: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> pd.DataFrame:
    titles = {"cohort": cohorts, "approach": approaches, "label": LABEL_TITLES, "region": REGION_TITLES}
    return table.assign(**{column: tables.titled(table[column], names) for column, names in titles.items()})


def _section(table: pd.DataFrame, across: str, title: str, caption: str) -> Section:
    """A row per place, a column per region or measure; those without any answer are left out."""
    rows = [name for name in ("cohort", "approach", "label", "region") if name != across]
    order, table = table[across].unique(), table.dropna(subset="estimate")
    columns = [name for name in order if name in set(table[across])]
    clear = ((table["low"] > 0) | (table["high"] < 0)) & table["question"].isin(TESTED)
    text = [_cell(*row) for row in table[["estimate", "low", "high"]].itertuples(index=False)]
    places = pd.MultiIndex.from_frame(table[rows].drop_duplicates())
    wide = table.assign(text=text, clear=clear).pivot(index=rows, columns=across, values=["text", "clear"])
    wide = wide.reindex(places)
    cells = wide["text"][columns].fillna("").rename_axis(columns=None).reset_index()
    return Section(title, caption, cells, wide["clear"][columns].eq(True).reset_index(drop=True))


def _cell(estimate: float, low: float, high: float) -> str:
    bounds = "" if pd.isna(low) else f" [{tables.number(low)}, {tables.number(high)}]"
    return f"{tables.number(estimate)}{bounds}"
