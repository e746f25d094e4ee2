"""Scores of a run in; its answers and the agreement with the paper out."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from cmrslices.evaluation.agreement import agreement, paper_cells
from cmrslices.evaluation.answer_tables import (
    agreement_caption,
    agreement_cells,
    answers_markdown,
    answers_page,
    introduction,
    sections,
)
from cmrslices.evaluation.answers import Design, answers
from cmrslices.evaluation.scores import read_scores
from cmrslices.prediction.routing import classified_regions
from cmrslices.presentation import pages, tables
from cmrslices.presentation.paper import read_paper


def write_answers(
    scores: list[str],
    selected: str | Path,
    probabilities: list[str],
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    baseline: str,
    routers: Mapping[str, str],
    table1: str | Path,
    table3: str | Path,
    csv: str,
    markdown: str,
    html: str,
    against_paper: str,
    against_paper_markdown: str,
    against_paper_html: str,
) -> None:
    """Write the answers of one run, and beside them the paper's, as CSV, Markdown and HTML.

    Parameters
    ----------
    scores : list of path
        The scores of every approach and cohort.
    selected : path
        classifiers/selected.yaml.
    probabilities : list of path
        ``{network}/{cohort}.csv`` of every network and cohort.
    cohorts, approaches : dict of name to title
        In the order of the rows.
    baseline : str
        The approach the others are compared with.
    routers : dict
        Approach to its router.
    table1, table3 : path
        The paper's.
    csv, markdown, html, against_paper, against_paper_markdown, against_paper_html : path
        To write.

    Raises
    ------
    InputError
        When the approaches are not scored on the same slices.
    """
    network = yaml.safe_load(Path(selected).read_text())["network"]
    own = [path for path in probabilities if Path(path).parent.name == network]
    slices = with_right(read_scores(scores, cohorts, approaches), own).assign(seed=0)
    found = answers(slices, design_of(baseline, routers))
    beside = agreement(found, paper_cells(read_paper(table1), read_paper(table3), baseline))
    write_tables(found, beside, cohorts, approaches, csv, markdown, against_paper, against_paper_markdown)
    page = answers_page(introduction(found, cohorts), sections(found, cohorts, approaches))
    Path(html).write_text(page)
    cells = agreement_cells(beside, cohorts, approaches)
    Path(against_paper_html).write_text(pages.table_page("Cell by cell", agreement_caption(beside), cells))


def write_tables(
    found: pd.DataFrame,
    beside: pd.DataFrame,
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    csv: str | Path,
    markdown: str | Path,
    against_paper: str | Path,
    against_paper_markdown: str | Path,
) -> None:
    """Write answers and agreement as CSV and Markdown.

    Parameters
    ----------
    found, beside : DataFrame
        As `answers` and `agreement` give them.
    cohorts, approaches : dict of name to title
    csv, markdown, against_paper, against_paper_markdown : path
        To write.
    """
    found.to_csv(csv, index=False, float_format="%.6g")
    beside.to_csv(against_paper, index=False, float_format="%.6g")
    text = answers_markdown(introduction(found, cohorts), sections(found, cohorts, approaches))
    Path(markdown).write_text(text)
    cells = agreement_cells(beside, cohorts, approaches)
    Path(against_paper_markdown).write_text(tables.markdown(cells, agreement_caption(beside)))


def with_right(scores: pd.DataFrame, probabilities: list[str] | list[Path]) -> pd.DataFrame:
    """Add the column right: whether the classifier names the region of the slice.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them.
    probabilities : list of path
        The selected classifier's, of every cohort.
    """
    named = classified_regions(pd.concat(map(pd.read_csv, probabilities))).rename(columns={"region": "named"})
    both = scores.merge(named, on=["case", "slice"], how="left", validate="many_to_one")
    return scores.assign(right=(both["named"] == both["region"].astype(str)).to_numpy())


def design_of(baseline: str, routers: Mapping[str, str]) -> Design:
    """The parts of the approaches in the questions.

    Parameters
    ----------
    baseline : str
        One of them.
    routers : dict
        Approach to its router.
    """
    others = [name for name in routers if name != baseline]
    bounds = [name for name in others if routers[name] == "reference"]
    classified = tuple(name for name in others if routers[name] == "classifier")
    return Design(baseline, tuple(others), bounds[0] if bounds else None, classified)
