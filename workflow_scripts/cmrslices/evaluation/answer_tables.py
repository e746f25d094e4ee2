"""Answers laid out for readers: a table for each question, and the agreement with the paper."""

from collections.abc import Mapping

import pandas as pd

from cmrslices.evaluation.answers import ANY_SCORING, EVERYONE
from cmrslices.evaluation.cells import ALL_LABELS, LABEL_TITLES
from cmrslices.evaluation.jackknife import LEVEL, MINIMUM_PATIENTS
from cmrslices.evaluation.over_runs import BRACKETS, over_runs
from cmrslices.evaluation.rule_agreement import FINDING, across_rules, side_by_side
from cmrslices.evaluation.scoring import SCORING_RULES
from cmrslices.evaluation.statistics import LEVEL_OF_MARKS, REGION_TITLES, WHOLE_HEART
from cmrslices.evaluation.training_note import training_note
from cmrslices.labels import NON_CARDIAC, REGIONS
from cmrslices.presentation import tables
from cmrslices.presentation.sections import Section, answer_cell

NEAR = "≈"
QUESTIONS = {
    "primary": (
        "Is a remedy better than a control of equal training?",
        "The primary comparisons, named in the configuration: approach minus its matched control (versus), mean over "
        f"the labels, in points of DSC %. Bold and {NEAR} are both corrected over this table, by Holm.",
    ),
    "gap": ("Is there a gap?", "The baseline's middle minus its base and apex, in points of DSC %."),
    "change": ("What does an approach change?", "Approach minus baseline, in points of DSC %."),
    "contrast": (
        "How do the approaches compare with each other?",
        "Approach minus the one that it is compared with (versus), in points of DSC %. Pairs whose models are known to "
        "have seen different numbers of slices in training are left out.",
    ),
    "share": (
        "How much of the gap is that?",
        "The change at an end, in % of the baseline's gap there, where the gap's interval is above 0.",
    ),
    "missed": (
        "How often is a label missed altogether?",
        "Slices that carry the label and of which nothing is found (DSC 0), in %. Any: slices in which that happens to "
        "at least one of the labels that they carry.",
    ),
    "invented": (
        "How often is a label invented?",
        "Slices whose reference lacks the label and in which some of it is predicted (false positives), in %. Any: "
        "slices in which that happens to at least one of the labels that they lack.",
    ),
    "invented_change": (
        "What does an approach change about invented labels?",
        "Rate of false positives of the approach minus that of the baseline, in percentage points; above 0 is worse.",
    ),
    "invented_mm2": ("How large is what is invented?", "Mean area of the false positives, in mm²."),
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
NO_BOUND = "Without an upper bound, because no approach sends slices to the same models by the reference: {}."
SUBGROUP_QUESTIONS = {
    "gap": (
        "Is the gap the same in every group of patients?",
        "The baseline's middle minus its base and apex, mean over the labels, in points of DSC %.",
    ),
    "change": (
        "Is the change the same in every group of patients?",
        "Approach minus baseline, mean over the labels, in points of DSC %.",
    ),
}
RULES_QUESTION = (
    "Does it hold under every scoring rule?",
    "Gaps and differences of which at least one rule's interval excludes 0, in points of DSC %. "
    + " ".join(f"{rule.capitalize()}: means are over {slices}." for rule, slices in SCORING_RULES.items()),
)
ASKED_OF_RUNS = ["primary", "gap", "change"]
RUNS_QUESTION = (
    "Would other trainings say the same?",
    "The primary comparisons, gaps and changes, mean over the labels, in points of DSC %, under each scoring rule. "
    f"{BRACKETS} Bold: the difference from 0 over the runs remains after Holm's correction over the answers to the "
    f"question (p < {LEVEL_OF_MARKS:g}).",
)
COLUMN_ORDER = [*REGIONS, REGION_TITLES[WHOLE_HEART], NON_CARDIAC, *CLASSIFIER.values()]
PAIR = ["approach", "versus"]
PLACE = ["cohort", "subgroup", *PAIR, "training"]
TRAINING = "training, times the slices of {}"
"""Title of the column that says how much longer an approach was trained than the one that it is compared with."""


def introduction(found: pd.DataFrame, cohorts: Mapping[str, str], scoring: str, margin: float) -> str:
    """What the intervals and marks say, and how many patients and runs there are.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    cohorts : dict of name to title
    scoring : str
        The rule whose answers are shown.
    margin : float
        In points of DSC %.
    """
    runs = found["runs"].max()
    about = found.groupby("cohort", sort=False, observed=True)["patients"].max()
    data = "; ".join(f"{cohorts[cohort]} n = {patients} patients" for cohort, patients in about.items())
    of_runs = (
        f"In parentheses: the lowest and the highest of {runs} runs, each about the patients that it tests; "
        "answers.csv has their SD."
        if runs > 1
        else "With one run, nothing is known about how much another training would change."
    )
    return (
        f"Brackets: {LEVEL:.0%} intervals over patients, for the models that were trained (cluster jackknife); none "
        f"with fewer than {MINIMUM_PATIENTS} patients. {of_runs} Bold: the difference from 0 remains after Holm's "
        f"correction within its table (p < {LEVEL_OF_MARKS:g}). {NEAR}: the difference is shown to be within "
        f"{margin:g} {'point' if margin == 1 else 'points'} (two one-sided tests, p < {LEVEL_OF_MARKS:g} each, not "
        f"corrected). Scoring rule: {scoring}; the mean DSC is over {SCORING_RULES[scoring]}; all is the mean "
        f"over the labels. {data}."
    )


def sections(
    found: pd.DataFrame,
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    controls: Mapping[str, str | None],
    scoring: str,
) -> list[Section]:
    """A table for each question that has an answer.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    cohorts, approaches : dict of name to title
    controls : dict of str to str or None
        Each approach that was trained longer than the baseline to its matched control.
    scoring : str
        The rule whose answers are shown; the table about the rules shows all.
    """
    shown = _titled(found[found["scoring"].isin([scoring, ANY_SCORING])], cohorts, approaches)
    everyone = shown[shown["subgroup"] == EVERYONE]
    parts = [(everyone[everyone["question"] == question], "region", *text) for question, text in QUESTIONS.items()]
    measured = everyone[everyone["question"].isin(CLASSIFIER)]
    parts.append((measured.assign(measure=measured["question"].map(CLASSIFIER)), "measure", *CLASSIFIER_QUESTION))
    grouped = shown[(shown["subgroup"] != EVERYONE) & (shown["label"] == LABEL_TITLES[ALL_LABELS])]
    parts += [(grouped[grouped["question"] == name], "region", *text) for name, text in SUBGROUP_QUESTIONS.items()]
    made = [_section(*table) for table in parts if len(table[0])]
    rules = across_rules(found, "scoring", SCORING_RULES)
    if len(rules):
        made.append(rules_section(rules, found, cohorts, approaches, list(SCORING_RULES), RULES_QUESTION))
    asked = found["question"].isin(ASKED_OF_RUNS) & (found["subgroup"] == EVERYONE) & (found["label"] == ALL_LABELS)
    runs = side_by_side(over_runs(found[asked], ["scoring", "question"]), "scoring", SCORING_RULES)
    if len(runs):
        made.append(rules_section(runs, found, cohorts, approaches, list(SCORING_RULES), RUNS_QUESTION))
    notes = {
        QUESTIONS["change"][0]: _training_note(found, controls, approaches),
        CLASSIFIER_QUESTION[0]: _bound_note(found, approaches),
    }
    return [part._replace(note=notes.get(part.title, "")) for part in made]


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
        f"excludes 0. Cells by verdict: {counts or 'none'}."
    )


def agreement_cells(beside: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> pd.DataFrame:
    """The agreement's finished cells; arguments as in `sections`."""
    named = _titled(beside, cohorts, approaches)
    named["ours"] = [tables.with_interval(*row) for row in beside[["ours", "low", "high"]].itertuples(index=False)]
    return tables.tidy_cells(named.drop(columns=["low", "high"]), {})


def _titled(table: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> pd.DataFrame:
    titles = {
        "cohort": cohorts,
        "approach": approaches,
        "versus": approaches,
        "label": LABEL_TITLES,
        "region": REGION_TITLES,
    }
    names = {column: tables.titled(table[column], names) for column, names in titles.items() if column in table}
    return table.assign(**names)


def _training_note(found: pd.DataFrame, controls: Mapping[str, str | None], approaches: Mapping[str, str]) -> str:
    changes = found[found["question"] == "change"]
    return training_note(changes.set_index("approach")["training_ratio"].to_dict(), controls, approaches)


def _bound_note(found: pd.DataFrame, approaches: Mapping[str, str]) -> str:
    bounded = found.loc[found["question"].isin(["right_bound", "wrong_bound"]), "approach"]
    without = found.loc[(found["question"] == "errors") & ~found["approach"].isin(bounded), "approach"].unique()
    return NO_BOUND.format("; ".join(approaches.get(name, name) for name in without)) if len(without) else ""


def _section(table: pd.DataFrame, across: str, title: str, caption: str) -> Section:
    """A row per place, a column per region or measure; those without any answer are left out."""
    table = table.assign(training=table["training_ratio"].map(tables.number))
    rows = [name for name in (*PLACE, "label", "region") if name != across]
    needed = {
        "subgroup": table["subgroup"].nunique() > 1,
        "versus": table["versus"].nunique() > 1 or bool({"contrast", "primary"} & set(table["question"])),
        "training": table["training"].any(),
    }
    told = [name for name in rows if needed.get(name, True)]
    columns = [name for name in COLUMN_ORDER if name in set(table[across])]
    near = table["p_equivalent"] < LEVEL_OF_MARKS
    marks = near.map({True: f" {NEAR}", False: ""})
    text = [answer_cell(row, mark) for (_, row), mark in zip(table.iterrows(), marks, strict=True)]
    bold = table["p_holm"] < LEVEL_OF_MARKS
    places = pd.MultiIndex.from_frame(table[rows].drop_duplicates())
    wide = table.assign(text=text, bold=bold).pivot(index=rows, columns=across, values=["text", "bold"])
    wide = wide.reindex(places)
    cells = wide["text"][columns].fillna("").rename_axis(columns=None).reset_index()[[*told, *columns]]
    named = cells.rename(columns={"training": TRAINING.format("versus" if "versus" in told else "the baseline")})
    return Section(title, caption, named, wide["bold"][columns].eq(True).reset_index(drop=True))


def rules_section(
    rules: pd.DataFrame,
    found: pd.DataFrame,
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    names: list[str],
    question: tuple[str, str],
) -> Section:
    """A table of answers under several rules.

    Parameters
    ----------
    rules : DataFrame
        As `side_by_side` gives them.
    found : DataFrame
        The answers from which they come.
    cohorts, approaches : dict of name to title
    names : list of str
        The rules, in the order of the columns.
    question : tuple of str
        Title and caption.
    """
    cells = _titled(rules[FINDING], cohorts, approaches).assign(holds=rules["verdict"])
    for rule in names:
        values = rules[[f"{rule}_estimate", f"{rule}_low", f"{rule}_high"]]
        cells[rule] = [tables.with_interval(*row) for row in values.itertuples(index=False)]
    cells = cells[[*FINDING, *names, "holds"]]
    ratios = found.drop_duplicates(PAIR).set_index(PAIR)["training_ratio"]
    if ratios.notna().any():
        told = ratios.reindex(pd.MultiIndex.from_frame(rules[PAIR])).map(tables.number)
        cells.insert(cells.columns.get_loc("versus") + 1, TRAINING.format("versus"), told.to_numpy())
    bold = rules[[f"{rule}_holds" for rule in names]].set_axis(names, axis=1).eq(True)
    return Section(*question, cells, bold)
