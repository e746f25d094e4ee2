"""Table 1: the baseline's performance gap between the middle and the ends of the heart."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cmrslices.evaluation.patient_tests import HOLDS, patient_tests, with_patient_tests
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.scoring import SCORING_RULES, score_under
from cmrslices.evaluation.statistics import regional_gap
from cmrslices.labels import REGIONS
from cmrslices.presentation import tables
from cmrslices.presentation.paper import beside_paper, read_paper
from cmrslices.presentation.writing import Files, write_table

KEY = ["cohort", "label", "region"]


def write_table1(
    scores: list[str],
    cohorts: Mapping[str, str],
    baseline: str,
    scoring: str,
    significance: float,
    paper: str | Path,
    table: Files,
    against_paper: Files,
) -> None:
    """Write Table 1, and Table 1 beside the paper's.

    Parameters
    ----------
    scores : list of path
        The baseline's scores of every cohort.
    cohorts : dict of name to title
        In the order of the rows.
    baseline : str
        The approach.
    scoring : str
        One of `SCORING_RULES`.
    significance : float
        p below it is marked.
    paper : path
        The paper's Table 1.
    table, against_paper : Files
        To write.
    """
    slices = score_under(read_scores(scores, cohorts), scoring)
    gap = regional_gap(slices, significance).assign(approach=baseline)
    gap = with_patient_tests(gap, patient_tests(slices, baseline, []), significance).drop(columns="approach")
    beside = beside_paper(gap, read_paper(paper), KEY, ["mean", "sd", "significant"])
    data = tables.test_data(slices, cohorts)
    caption = (
        f"Mean (SD) of the baseline's DSC (%) by cardiac region and label, over {SCORING_RULES[scoring]}. "
        f"* p < {significance:g} against the middle (Welch's t-test, slices taken as independent, as in the paper). "
        f"{HOLDS.format(significance)} {data}."
    )
    beside_caption = (
        "Table 1 beside the paper's: DSC in %, difference: ours minus the paper's; significant: against the middle, "
        f"Welch's t-test (ours p < {significance:g}, the paper's p < 0.01). Our means are over "
        f"{SCORING_RULES[scoring]}. {data}."
    )
    beside_cells = tables.tidy_cells(beside, {"cohort": cohorts})
    write_table(table, gap, "Table 1", caption, layout(gap, cohorts), label="tab:gap")
    write_table(against_paper, beside, "Table 1 against the paper", beside_caption, beside_cells)


def layout(gap: pd.DataFrame, cohorts: Mapping[str, str]) -> pd.DataFrame:
    """Cells as in the paper: a row per cohort and label, a column per region, ``mean (SD)`` starred."""
    columns = gap[["mean", "sd", "significant", "holds"]].itertuples(index=False)
    text = [tables.mean_sd(mean, sd, tables.marks(star, holds)) for mean, sd, star, holds in columns]
    table = gap.assign(text=text).pivot(index=["cohort", "label"], columns="region", values="text")
    order = gap[["cohort", "label"]].drop_duplicates()
    table = table.loc[pd.MultiIndex.from_frame(order), list(REGIONS)].reset_index()
    table["cohort"] = tables.sparse(tables.titled(table["cohort"], cohorts))
    return table.set_axis(["Dataset", "Label", *(region.capitalize() for region in REGIONS)], axis=1)
