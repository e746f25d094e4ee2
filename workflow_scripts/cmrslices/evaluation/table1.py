"""Table 1: the baseline's performance gap between the middle and the ends of the heart."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.statistics import regional_gap
from cmrslices.labels import REGIONS
from cmrslices.presentation import pages, tables
from cmrslices.presentation.paper import beside_paper, read_paper

KEY = ["cohort", "label", "region"]


def write_table1(
    scores: list[str],
    cohorts: Mapping[str, str],
    significance: float,
    paper: str | Path,
    csv: str,
    markdown: str,
    html: str,
    latex: str,
    against_paper: str,
    against_paper_markdown: str,
    against_paper_html: str,
) -> None:
    """Write Table 1 as CSV, Markdown, HTML and LaTeX, and beside the paper's.

    Parameters
    ----------
    scores : list of path
        The baseline's scores of every cohort.
    cohorts : dict of name to title
        In the order of the rows.
    significance : float
        p below it is starred.
    paper : path
        The paper's Table 1.
    csv, markdown, html, latex, against_paper, against_paper_markdown, against_paper_html : path
        To write.
    """
    slices = read_scores(scores, cohorts)
    gap = regional_gap(slices, significance)
    beside = beside_paper(gap, read_paper(paper), KEY, ["mean", "sd", "significant"])

    caption = (
        f"Mean (SD) of the baseline's DSC (%) by cardiac region and label. * p < {significance:g} against the "
        f"middle (Welch's t-test). {tables.test_data(slices, cohorts)}."
    )
    beside_caption = (
        "Table 1 beside the paper's: DSC in %, difference: ours minus the paper's; significant: against the middle, "
        f"Welch's t-test (ours p < {significance:g}, the paper's p < 0.01). {tables.test_data(slices, cohorts)}."
    )
    cells = layout(gap, cohorts)
    beside_cells = tables.tidy_cells(beside, {"cohort": cohorts})

    gap.to_csv(csv, index=False, float_format="%.6g")
    beside.to_csv(against_paper, index=False, float_format="%.6g")
    Path(markdown).write_text(tables.markdown(cells, f"Table 1. {caption}"))
    Path(html).write_text(pages.table_page("Table 1", caption, cells))
    Path(latex).write_text(tables.latex(cells, caption, "tab:gap"))
    Path(against_paper_markdown).write_text(tables.markdown(beside_cells, beside_caption))
    Path(against_paper_html).write_text(pages.table_page("Table 1 against the paper", beside_caption, beside_cells))


def layout(gap: pd.DataFrame, cohorts: Mapping[str, str]) -> pd.DataFrame:
    """Cells as in the paper: a row per cohort and label, a column per region, ``mean (SD)`` starred."""
    text = [tables.mean_sd(*row) for row in zip(gap["mean"], gap["sd"], gap["significant"], strict=True)]
    table = gap.assign(text=text).pivot(index=["cohort", "label"], columns="region", values="text")
    order = gap[["cohort", "label"]].drop_duplicates()
    table = table.loc[pd.MultiIndex.from_frame(order), list(REGIONS)].reset_index()
    table["cohort"] = tables.sparse(tables.titled(table["cohort"], cohorts))
    return table.set_axis(["Dataset", "Label", *(region.capitalize() for region in REGIONS)], axis=1)
