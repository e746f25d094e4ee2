"""The errors of cardiac function, and what approaches change about them, laid out for readers."""

from collections.abc import Mapping

import pandas as pd

from cmrslices.evaluation.jackknife import LEVEL, MINIMUM_PATIENTS
from cmrslices.evaluation.over_runs import BRACKETS, over_runs
from cmrslices.evaluation.statistics import LEVEL_OF_MARKS
from cmrslices.function import QUANTITIES, with_unit
from cmrslices.presentation import tables
from cmrslices.presentation.sections import Section, answer_cell, sections_markdown, sections_page
from cmrslices.presentation.writing import Files, write_text

TITLE = "Errors of cardiac function, compared"
QUESTIONS = {
    "primary": (
        "Are the errors of a remedy smaller than those of a control of equal training?",
        "Mean absolute error of the approach minus that of its matched control (versus), in the unit of the quantity; "
        "below 0 is better.",
    ),
    "error": (
        "How large are the errors?",
        "Mean absolute error, |prediction - reference|, in the unit of the quantity.",
    ),
    "change": (
        "What does an approach change about the errors?",
        "Mean absolute error of the approach minus that of the baseline, in the unit of the quantity; below 0 is "
        "better. Trained approaches may differ in how long they were trained: see the training budget.",
    ),
}
RUNS_QUESTION = (
    "Would other trainings say the same about the remedies?",
    f"The first table again. {BRACKETS} Bold: the difference from 0 over the runs remains after Holm's correction "
    f"within the table (p < {LEVEL_OF_MARKS:g}).",
)
ROWS = ["cohort", "approach", "versus"]


def write_function_changes(
    files: Files, changes: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]
) -> None:
    """Write what `function_changes` gives as CSV, Markdown or HTML.

    Parameters
    ----------
    files : Files
    changes : DataFrame
    cohorts, approaches : dict of name to title
    """
    intro, parts = introduction(changes, cohorts), sections(changes, cohorts, approaches)
    formats = {
        ".csv": lambda: tables.csv(changes),
        ".md": lambda: sections_markdown(intro, parts),
        ".html": lambda: sections_page(TITLE, intro, parts),
    }
    write_text(files, formats)


def introduction(changes: pd.DataFrame, cohorts: Mapping[str, str]) -> str:
    """What the intervals and marks say, and how many patients and runs there are; the arguments are those above."""
    about = changes.groupby("cohort", sort=False)["patients"].max()
    data = "; ".join(f"{cohorts[cohort]} n = {patients} patients" for cohort, patients in about.items())
    runs = changes["runs"].max()
    of_runs = f" In parentheses: the lowest and the highest of {runs} runs." if runs > 1 else ""
    return (
        "The error of a patient is |prediction - reference|. A patient without ED or ES, or without an EF, does not "
        f"count for the quantities that need it. Brackets: {LEVEL:.0%} intervals over patients, for the models that "
        f"were trained (cluster jackknife); none with fewer than {MINIMUM_PATIENTS} patients.{of_runs} Bold: the "
        f"difference from 0 remains after Holm's correction within its table (p < {LEVEL_OF_MARKS:g}). No margin is "
        "set for these errors: a difference that is not bold is not shown to be none. Volumes are sums of areas over "
        f"slices, without end caps. {data}."
    )


def sections(changes: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> list[Section]:
    """A table for each question that was asked: a row for each cohort and approach, a column for each quantity.

    From three runs on, the last one has the primary comparisons over the runs.

    Parameters
    ----------
    changes : DataFrame
        As `function_changes` gives them.
    cohorts, approaches : dict of name to title
    """
    asked = [(changes[changes["question"] == question], text) for question, text in QUESTIONS.items()]
    asked.append((over_runs(changes[changes["question"] == "primary"], ["question"]), RUNS_QUESTION))
    return [_section(table, text, cohorts, approaches) for table, text in asked if len(table)]


def _section(
    table: pd.DataFrame, text: tuple[str, str], cohorts: Mapping[str, str], approaches: Mapping[str, str]
) -> Section:
    told = table.assign(text=[answer_cell(row) for _, row in table.iterrows()], bold=table["p_holm"] < LEVEL_OF_MARKS)
    wide = told.pivot(index=ROWS, columns="quantity", values=["text", "bold"])
    wide = wide.reindex(pd.MultiIndex.from_frame(table[ROWS].drop_duplicates()))
    quantities = [name for name in QUANTITIES if name in wide["text"]]
    names = wide.index.to_frame(index=False)
    cells = pd.DataFrame(
        {
            "dataset": tables.titled(names["cohort"], cohorts),
            "approach": tables.titled(names["approach"], approaches),
            "versus": tables.titled(names["versus"], approaches),
        }
    )
    if "primary" not in set(table["question"]):  # the caption names the baseline, or nothing is compared
        cells = cells.drop(columns="versus")
    values = wide["text"][quantities].fillna("").rename(columns=with_unit).rename_axis(columns=None)
    bold = wide["bold"][quantities].eq(True).rename(columns=with_unit).rename_axis(columns=None)
    return Section(*text, cells.join(values.reset_index(drop=True)), bold.reset_index(drop=True))
