"""From the scores of a run to its answers, and to their agreement with the paper."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.cohorts.tables import read_cases
from cmrslices.evaluation.agreement import agreement, paper_cells
from cmrslices.evaluation.answer_tables import (
    agreement_caption,
    agreement_cells,
    introduction,
    sections,
)
from cmrslices.evaluation.answers import Design, answers, right_by
from cmrslices.evaluation.scores import read_scores
from cmrslices.prediction.routing import read_regions
from cmrslices.presentation import tables
from cmrslices.presentation.paper import read_paper
from cmrslices.presentation.sections import sections_markdown, sections_page
from cmrslices.presentation.writing import Files, write_table, write_text

TITLE = "What the numbers say"


def write_answers(
    scores: list[str],
    regions: list[str],
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    baseline: str,
    bounds: Mapping[str, str | None],
    trained_slices: Mapping[str, int | None],
    controls: Mapping[str, str | None],
    primary: Mapping[str, str],
    cases: list[str],
    scoring: str,
    margin: float,
    table1: str | Path,
    table3: str | Path,
    table: Files,
    against_paper: Files,
) -> None:
    """Write the answers of one run, and the paper's cells beside them.

    Parameters
    ----------
    scores : list of path
        The scores of every approach and cohort.
    regions : list of path
        The regions of every cohort's slices by which each classified approach is routed: all cohorts of the first such
        approach, in the order of `cohorts`, then those of the next.
    cohorts, approaches : dict of name to title
        In the order of the rows.
    baseline : str
        The approach that the others are compared with.
    bounds : dict of str to str or None
        Each approach that is routed by the classifiers, in the order of the rows, to its upper bound.
    trained_slices : dict of str to int or None
        Every approach to the slices that its models saw in training.
    controls : dict of str to str or None
        Each approach that was trained longer than the baseline to its matched control.
    primary : dict of str to str
        Each approach of the primary comparisons to its control.
    cases : list of path
        The cohorts' cases.csv: disease group and vendor, where they are known.
    scoring : str
        The scoring rule of what is shown; the answers are given under all of them.
    margin : float
        Approaches are near each other if they differ by less, in points of DSC %.
    table1, table3 : path
        The paper's.
    table, against_paper : Files
        To write.

    Raises
    ------
    InputError
        When the approaches are not scored on the same slices.
    """
    files = iter(regions)
    named = {name: pd.concat(read_regions(next(files)) for _ in cohorts) for name in bounds}
    slices = with_right(read_scores(scores, cohorts, approaches), named).assign(run=0)
    about = pd.concat(read_cases(path) for path in cases)
    found = answers(with_subgroups(slices, about), design_of(baseline, bounds, trained_slices, primary), margin)
    beside = agreement(found, paper_cells(read_paper(table1), read_paper(table3), baseline), scoring)
    write_tables(found, beside, cohorts, approaches, controls, scoring, margin, table, against_paper)


def write_tables(
    found: pd.DataFrame,
    beside: pd.DataFrame,
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    controls: Mapping[str, str | None],
    scoring: str,
    margin: float,
    table: Files,
    against_paper: Files,
) -> None:
    """Write the answers, and the agreement with the paper.

    Parameters
    ----------
    found, beside : DataFrame
        As `answers` and `agreement` give them.
    cohorts, approaches : dict of name to title
    controls : dict of str to str or None
        Each approach that was trained longer than the baseline to its matched control.
    scoring : str
        The scoring rule of what is shown.
    margin : float
        In points of DSC %.
    table, against_paper : Files
        To write.
    """
    intro = introduction(found, cohorts, scoring, margin)
    parts = sections(found, cohorts, approaches, controls, scoring)
    formats = {
        ".csv": lambda: tables.csv(found),
        ".md": lambda: sections_markdown(intro, parts),
        ".html": lambda: sections_page(TITLE, intro, parts),
    }
    write_text(table, formats)
    cells = agreement_cells(beside, cohorts, approaches)
    write_table(against_paper, beside, "Cell by cell", agreement_caption(beside), cells)


def with_subgroups(scores: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Add the columns group (of disease) and vendor, empty where they are not known.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them.
    cases : DataFrame
        cases.csv of all cohorts.
    """
    known = cases.set_index("case")[["group", "vendor"]].fillna("")
    return scores.join(known, on="case")


def with_right(scores: pd.DataFrame, regions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Add the column `right_by` of each classified approach: whether it names the reference region of the slice.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them.
    regions : dict of str to DataFrame
        Classified approach to case, slice and region of every slice of all cohorts, by which it is routed.
    """
    return scores.assign(**{right_by(name): _is_right(scores, table) for name, table in regions.items()})


def _is_right(scores: pd.DataFrame, regions: pd.DataFrame) -> np.ndarray:
    named = regions.rename(columns={"region": "named"})
    both = scores.merge(named, on=["case", "slice"], how="left", validate="many_to_one")
    return (both["named"] == both["region"].astype(str)).to_numpy()


def design_of(
    baseline: str,
    bounds: Mapping[str, str | None],
    trained_slices: Mapping[str, int | None],
    primary: Mapping[str, str],
) -> Design:
    """Find the part of each approach in the questions.

    Parameters
    ----------
    baseline : str
        The approach that the others are compared with; it is no other approach's bound.
    bounds, trained_slices, primary : dict
        As `write_answers` takes them; `trained_slices` has every approach, in the order of the rows.
    """
    others = tuple(name for name in trained_slices if name != baseline)
    own = {name: bound if bound in others else None for name, bound in bounds.items() if name != baseline}
    return Design(baseline, others, own, trained_slices, primary)
