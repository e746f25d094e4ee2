"""Table 3: what each approach changes against the baseline, and the false positives beside it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.evaluation import false_positives as invented
from cmrslices.evaluation.patient_tests import HOLDS, patient_tests, with_patient_tests
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.scoring import SCORING_RULES, score_under
from cmrslices.evaluation.statistics import REGION_TITLES, WHOLE_HEART, improvements
from cmrslices.labels import LABELS, REGIONS
from cmrslices.presentation import tables
from cmrslices.presentation.paper import beside_paper, read_paper
from cmrslices.presentation.writing import Files, write_table

KEY = ["cohort", "approach", "label", "region"]
VALUES = ["mean_difference", "sd_difference", "significant"]
HEADINGS = {region: region.capitalize() for region in REGIONS} | {WHOLE_HEART: "Whole heart"}


def write_table3(
    scores: list[str],
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    baseline: str,
    candidates: list[str],
    scoring: str,
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
    scoring : str
        One of `SCORING_RULES`.
    significance : float
        p below it is marked.
    paper : path
        The paper's Table 3.
    table, against_paper, false_positives : Files
        To write.

    Raises
    ------
    InputError
        When the approaches are not scored on the same slices.
    """
    slices = score_under(read_scores(scores, cohorts, approaches), scoring)
    others = [name for name in approaches if name != baseline]
    tests = patient_tests(slices, baseline, others)
    changes = with_patient_tests(improvements(slices, baseline, candidates, significance), tests, significance)
    beside = _with_sign(beside_paper(changes, read_paper(paper), KEY, VALUES))
    wrong = invented.false_positives(slices, baseline, others)

    caption, beside_caption = _captions(approaches[baseline], scoring, significance, tables.test_data(slices, cohorts))
    titles = {"cohort": cohorts, "approach": approaches, "region": REGION_TITLES}
    cells, bold = layout(changes, cohorts, approaches)
    beside_cells = tables.tidy_cells(beside, titles)
    write_table(table, changes, "Table 3", caption, cells, bold, label="tab:improvement")
    write_table(against_paper, beside, "Table 3 against the paper", beside_caption, beside_cells)
    write_table(false_positives, wrong, "False positives", invented.CAPTION, _false_positives_cells(wrong, titles))


def layout(
    changes: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells as in the paper, with the middle and the whole heart; and which of them are bold.

    A row per cohort and approach; columns by label and region, ``mean (SD)`` differences starred.
    """
    columns = changes[[*VALUES, "holds"]].itertuples(index=False)
    texts = [tables.mean_sd(mean, sd, tables.marks(star, holds)) for mean, sd, star, holds in columns]
    table = changes.assign(text=texts)
    rows = pd.MultiIndex.from_frame(table[["cohort", "approach"]].drop_duplicates())
    cells, bold = _wide(table, "text", rows), _wide(table, "best", rows).astype(bool)
    names = rows.to_frame(index=False)
    cells.insert(0, ("", "Dataset"), tables.sparse(tables.titled(names["cohort"], cohorts)))
    cells.insert(1, ("", "Approach"), tables.titled(names["approach"], approaches))
    return cells, bold


def _captions(baseline: str, scoring: str, significance: float, data: str) -> tuple[str, str]:
    meaning = f"against {baseline}, in points of DSC %; positive is better. Means are over {SCORING_RULES[scoring]}"
    caption = (
        f"Difference of the mean (and of the SD) of the DSC {meaning}. * p < {significance:g} (paired t-test, slices "
        f"taken as independent, as in the paper). {HOLDS.format(significance)} Bold: the largest improvement of a "
        f"label and region, upper bounds aside. {data}."
    )
    beside_caption = (
        f"Table 3 beside the paper's: differences {meaning}. Difference: ours minus the paper's; significant: paired "
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
    found = table[table["slices"] > 0]
    rates = 100 * found[["rate", "rate_low", "rate_high"]]
    areas = found[["mean_area_mm2", "area_low_mm2", "area_high_mm2"]]
    cells = found[["cohort", "approach", "region", "label", "slices", "patients", "false_positives"]].assign(
        **{
            "rate (%)": [tables.with_interval(*row) for row in rates.itertuples(index=False)],
            "mean area (mm²)": [tables.with_interval(*row) for row in areas.itertuples(index=False)],
        }
    )
    return tables.tidy_cells(cells, titles)
