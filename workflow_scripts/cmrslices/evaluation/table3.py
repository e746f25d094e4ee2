"""Table 3: what each approach changes against the baseline, and the false positives beside it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.statistics import WHOLE_HEART, count_false_positives, improvements
from cmrslices.labels import LABELS, REGIONS
from cmrslices.presentation import tables
from cmrslices.presentation.paper import beside_paper, read_paper
from cmrslices.presentation.writing import Files, write_table

KEY = ["cohort", "approach", "label", "region"]
VALUES = ["mean_difference", "sd_difference", "significant"]
FALSE_POSITIVES = (
    "False positives: of the slices whose reference does not carry the label (slices), those with any of it "
    "predicted, and the mean area predicted in them. Descriptive: no test, no stars."
)
HEADINGS = {region: region.capitalize() for region in REGIONS} | {WHOLE_HEART: "Whole heart"}


def write_table3(
    scores: list[str],
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    baseline: str,
    candidates: list[str],
    significance: float,
    paper: str | Path,
    table: Files,
    against_paper: Files,
    false_positives: Files,
) -> None:
    """Write Table 3, Table 3 beside the paper's, and the table of false positives.

    Parameters
    ----------
    scores : list of path
        The scores of every approach and cohort.
    cohorts, approaches : dict of name to title
        In the order of the rows.
    baseline : str
        The approach the others are compared with.
    candidates : list of str
        The approaches among which the largest improvement is bold.
    significance : float
        p below it is starred.
    paper : path
        The paper's Table 3.
    table, against_paper, false_positives : Files
        To write.

    Raises
    ------
    InputError
        When the approaches are not scored on the same slices.
    """
    slices = read_scores(scores, cohorts, approaches)
    changes = improvements(slices, baseline, candidates, significance)
    beside = _with_sign(beside_paper(changes, read_paper(paper), KEY, VALUES))
    wrong = count_false_positives(slices)

    caption, beside_caption = _captions(approaches[baseline], significance, tables.test_data(slices, cohorts))
    titles = {"cohort": cohorts, "approach": approaches, "region": {WHOLE_HEART: "whole heart"}}
    cells, bold = layout(changes, cohorts, approaches)
    beside_cells = tables.tidy_cells(beside, titles)
    write_table(table, changes, "Table 3", caption, cells, bold, label="tab:improvement")
    write_table(against_paper, beside, "Table 3 against the paper", beside_caption, beside_cells)
    write_table(false_positives, wrong, "False positives", FALSE_POSITIVES, _false_positives_cells(wrong, titles))


def layout(
    changes: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells as in the paper, with the middle and the whole heart; and which of them are bold.

    A row per cohort and approach; columns by label and region, ``mean (SD)`` differences starred.
    """
    table = changes.assign(text=[tables.mean_sd(*row) for row in changes[VALUES].itertuples(index=False)])
    rows = pd.MultiIndex.from_frame(table[["cohort", "approach"]].drop_duplicates())
    cells, bold = _wide(table, "text", rows), _wide(table, "best", rows).astype(bool)
    names = rows.to_frame(index=False)
    cells.insert(0, ("", "Dataset"), tables.sparse(tables.titled(names["cohort"], cohorts)))
    cells.insert(1, ("", "Approach"), tables.titled(names["approach"], approaches))
    return cells, bold


def _captions(baseline: str, significance: float, data: str) -> tuple[str, str]:
    meaning = f"against {baseline} on the same slices, in points of DSC %; positive is better"
    caption = (
        f"Difference of the mean (and of the SD) of the DSC {meaning}. "
        f"* p < {significance:g} (paired t-test); bold: the largest improvement of a label and region, "
        f"upper bounds aside. {data}."
    )
    beside_caption = (
        f"Table 3 beside the paper's: differences {meaning}; difference: ours minus the paper's; significant: paired "
        f"t-test (ours p < {significance:g}, the paper's p < 0.01). {data}."
    )
    return caption, beside_caption


def _wide(table: pd.DataFrame, value: str, rows: pd.MultiIndex) -> pd.DataFrame:
    wide = table.pivot(index=["cohort", "approach"], columns=["label", "region"], values=value)
    ordered = wide.reindex(index=rows, columns=pd.MultiIndex.from_product([LABELS, HEADINGS]))
    return ordered.reset_index(drop=True).set_axis(pd.MultiIndex.from_product([LABELS, HEADINGS.values()]), axis=1)


def _with_sign(beside: pd.DataFrame) -> pd.DataFrame:
    paper, ours = beside["paper_mean_difference"], beside["ours_mean_difference"]
    same = (np.sign(paper) == np.sign(ours)).astype(object)
    return beside.assign(same_sign=same.where(paper.notna() & ours.notna(), np.nan))


def _false_positives_cells(table: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    percent = table[table["slices"] > 0].assign(rate=100 * table["rate"])
    columns = {"rate": "rate (%)", "mean_area_mm2": "mean area (mm²)"}
    return tables.tidy_cells(percent.rename(columns=columns), titles)
