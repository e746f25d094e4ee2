"""Published seeds in; their answers and the agreement with the paper out, as CSV and Markdown."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from cmrslices.config import Settings, load_settings
from cmrslices.errors import InputError
from cmrslices.evaluation import rendering
from cmrslices.evaluation.answers import ALL_LABELS, LEVEL, Design, agreement, answers, paper_cells
from cmrslices.evaluation.paper import read_paper
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.statistics import WHOLE_HEART
from cmrslices.routing import classified_regions

QUESTIONS = {
    "gap": ("Is there a gap?", "The baseline's middle minus its base and apex, in points of DSC %."),
    "change": ("What does an approach change?", "Approach minus baseline, in points of DSC %."),
    "share": (
        "How much of the gap is that?",
        "The change at an end, in % of the baseline's gap there, where the gap's interval is above 0.",
    ),
    "left": ("How far is the upper bound?", "Upper bound minus approach, in points of DSC %."),
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
TESTED = [*QUESTIONS, "right", "right_bound", "wrong", "wrong_bound"]
"""Questions for which 0 means that there is no difference."""
LABEL_TITLES = {ALL_LABELS: "all (mean)"}
REGION_TITLES = {WHOLE_HEART: "whole heart"}


def write_answers(folder: str | Path, paper: Path) -> None:
    """Write answers.csv and .md, agreement.csv and .md beside the published seeds that they are about.

    Parameters
    ----------
    folder : path
        Holds a folder ``seed*`` per published run.
    paper : Path
        Folder of the paper's tables.

    Raises
    ------
    InputError
        No seed is there, or the seeds differ in more than the seed.
    """
    folder = Path(folder)
    settings, scores = read_seeds(sorted(folder.glob("seed*")), folder)
    found = answers(scores, design_of(settings))
    tables = [read_paper(paper / f"table{number}.csv") for number in (1, 3)]
    beside = agreement(found, paper_cells(*tables, settings.evaluation.baseline))
    cohorts = {name: row.title for name, row in settings.cohorts.items()}
    approaches = {name: row.title for name, row in settings.approaches.items()}
    found.to_csv(folder / "answers.csv", index=False, float_format="%.6g")
    beside.to_csv(folder / "agreement.csv", index=False, float_format="%.6g")
    (folder / "answers.md").write_text(answers_markdown(found, cohorts, approaches))
    (folder / "agreement.md").write_text(agreement_markdown(beside, cohorts, approaches))


def read_seeds(runs: list[Path], folder: Path) -> tuple[Settings, pd.DataFrame]:
    """Read the settings that published runs share, and their scores, as `answers` takes them.

    Parameters
    ----------
    runs : list of Path
        Published runs.
    folder : Path
        Where they lie, for the error.

    Raises
    ------
    InputError
        There is none, or they differ in more than the seed.
    """
    found = {run: load_settings(yaml.safe_load((run / "config.yaml").read_text())) for run in runs}
    if not found:
        raise InputError(f"{folder}: holds no folder seed*; publish a run there (docs/public.md)")
    first, *others = found.values()
    for run, settings in list(found.items())[1:]:
        if settings.model_copy(update={"seed": first.seed}) != first:
            raise InputError(f"{run}: its config.yaml differs from {runs[0]}'s in more than the seed; publish it apart")
    if len({settings.seed for settings in found.values()}) <= len(others):
        raise InputError(f"{folder}: two runs have the same seed; remove one")
    parts = [_read_run(run, settings).assign(seed=settings.seed) for run, settings in found.items()]
    return first, pd.concat(parts, ignore_index=True)


def _read_run(run: Path, settings: Settings) -> pd.DataFrame:
    """Scores of a run, with whether the selected classifier names the region of the slice."""
    files = [run / f"scores/{approach}/{cohort}.csv" for approach in settings.approaches for cohort in settings.cohorts]
    scores = read_scores(files, dict.fromkeys(settings.cohorts), dict.fromkeys(settings.approaches))
    network = yaml.safe_load((run / "classifiers/selected.yaml").read_text())["network"]
    probabilities = [pd.read_csv(run / f"classifiers/{network}/{cohort}.csv") for cohort in settings.cohorts]
    named = classified_regions(pd.concat(probabilities)).rename(columns={"region": "named"})
    both = scores.merge(named, on=["case", "slice"], how="left", validate="many_to_one")
    return scores.assign(right=(both["named"] == both["region"].astype(str)).to_numpy())


def design_of(settings: Settings) -> Design:
    """The parts of a configuration's approaches in the questions."""
    others = [name for name in settings.approaches if name != settings.evaluation.baseline]
    by_router = {
        router: tuple(name for name in others if settings.approaches[name].router == router)
        for router in ("reference", "classifier")
    }
    return Design(
        settings.evaluation.baseline,
        tuple(others),
        next(iter(by_router["reference"]), None),
        by_router["classifier"],
    )


def answers_markdown(found: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> str:
    """Lay the answers out, a table for each question.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    cohorts, approaches : dict of name to title
    """
    named = _titled(found, cohorts, approaches)
    about = named.groupby("cohort", sort=False)[["patients", "seeds"]].max()
    data = "; ".join(f"{row.Index}: patients {row.patients}, seeds {row.seeds}" for row in about.itertuples())
    text = (
        f"{LEVEL:.0%} intervals over patients and seeds; bold: a difference whose interval excludes 0. Means are over "
        "the slices that carry the label; all is the mean over "
        f"the labels. {data}.\n"
    )
    for question, heading in QUESTIONS.items():
        text += _question_markdown(named[named["question"] == question], "region", *heading)
    classifier = named[named["question"].isin(CLASSIFIER)]
    measured = classifier.assign(measure=classifier["question"].map(CLASSIFIER))
    return text + _question_markdown(measured, "measure", *CLASSIFIER_QUESTION)


def agreement_markdown(beside: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> str:
    """Lay the agreement out, with the number of cells of each verdict in the caption.

    Parameters
    ----------
    beside : DataFrame
        As `agreement` gives it.
    cohorts, approaches : dict of name to title
    """
    counts = "; ".join(f"{verdict}: {count}" for verdict, count in beside["verdict"].value_counts().items())
    caption = (
        "Gaps and changes beside the paper's Tables 1 and 3, in points of DSC %. The paper's are significant at "
        f"p < 0.01 by t-tests that take slices as independent; ours count where the {LEVEL:.0%} interval over patients "
        f"and seeds excludes 0. Cells by verdict: {counts}."
    )
    named = _titled(beside, cohorts, approaches)
    named["ours"] = [_cell(*row) for row in beside[["ours", "low", "high"]].itertuples(index=False)]
    return rendering.tidy_markdown(named.drop(columns=["low", "high"]), caption, {})


def _titled(table: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> pd.DataFrame:
    titles = {"cohort": cohorts, "approach": approaches, "label": LABEL_TITLES, "region": REGION_TITLES}
    return table.assign(**{column: rendering.titled(table[column], names) for column, names in titles.items()})


def _question_markdown(table: pd.DataFrame, across: str, title: str, caption: str) -> str:
    """A section with a row per place, a column per region or measure; nothing where there is no answer."""
    if table.empty:
        return ""
    rows = [name for name in ("cohort", "approach", "label", "region") if name != across]
    clear = ((table["low"] > 0) | (table["high"] < 0)) & table["question"].isin(TESTED)
    text = [_cell(*row) for row in table[["estimate", "low", "high"]].itertuples(index=False)]
    places = pd.MultiIndex.from_frame(table[rows].drop_duplicates())
    wide = table.assign(text=text, clear=clear).pivot(index=rows, columns=across, values=["text", "clear"])
    wide, columns = wide.reindex(places), list(table[across].unique())
    cells = wide["text"][columns].rename_axis(columns=None).reset_index()
    bold = wide["clear"][columns].astype(bool).reset_index(drop=True)
    return f"\n## {title}\n\n{rendering.markdown(cells, caption, bold)}"


def _cell(estimate: float, low: float, high: float) -> str:
    if pd.isna(estimate):
        return ""
    bounds = "" if pd.isna(low) else f" [{rendering.number(low)}, {rendering.number(high)}]"
    return f"{rendering.number(estimate)}{bounds}"
