"""The model card of a bundle: what it was trained on, how large it is, what it scores by region, and its limits."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cmrslices.cohorts.tables import read_splits
from cmrslices.commands.finished_run import finished_file
from cmrslices.config import Classified, Constant, Extent, Settings
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.scoring import SCORING_RULES, score_under
from cmrslices.labels import LABELS, REGIONS
from cmrslices.presentation import tables

SPLITS = {"train": "to train on", "validation": "for validation", "test": "for the test"}
"""Each split, as a sentence names it."""


def model_card(results: Path, settings: Settings, content: Mapping, sizes: Mapping[str, tuple[int, int]]) -> str:
    """Describe an approach for those who want to segment with it.

    Parameters
    ----------
    results : Path
        The results folder of the run that trained it.
    settings : Settings
        Of that run.
    content : dict
        What ``bundle.yaml`` holds.
    sizes : dict of str to (int, int)
        Number of weights and of bytes of each network.

    Returns
    -------
    str
        Markdown, without names of patients.

    Raises
    ------
    InputError
        A cohort was not yet scored.
    """
    title = settings.approaches[content["name"]].title
    parts = [
        f"# {title}",
        _method(settings, content["name"]),
        f"Made by version {content['workflow']} of the workflow, commit {content['commit']}.",
        f"## Data\n\n{_data(results, settings)}",
        f"## Size\n\n{_sizes_table(sizes)}",
        f"## Results by region\n\n{_scores_table(results, settings, content['name'])}",
        f"## Limits\n\n{_limits(settings, content)}",
    ]
    return "\n\n".join(parts) + "\n"


def _method(settings: Settings, approach: str) -> str:
    row = settings.approaches[approach]
    labels = ", ".join(f"{value} {name}" for name, value in LABELS.items())
    task = f"It segments short-axis cine CMR slices; labels: {labels}."
    if isinstance(row, Constant):
        return f"{task} The model `{row.model}` segments all slices."
    if isinstance(row, Classified | Extent):
        by_region = ", ".join(f"{region}: `{model}`" for region, model in (row.models or {}).items())
        parts = (
            f"decoder of its region in `{row.decoders_of}`" if row.decoders_of else f"model of its region ({by_region})"
        )
        mixed = "; those of likely regions are mixed" if row.mixing == "soft" else ""
        return f"{task} Each slice goes to the {parts}{mixed}. The region is named by {_named_by(row)}."
    raise TypeError(f"{approach}: no card for this kind of approach")


def _named_by(row: Classified | Extent) -> str:
    read = {"selected": "the selected slice classifier", "all": "the mean of all slice classifiers"}[row.networks]
    if isinstance(row, Extent):
        return f"the slices in which `{row.extent_of}` finds a label{f', and {read}' if row.probabilities else ''}"
    way = "slice by slice" if row.reading == "slice" else "read for a whole stack at once"
    return f"{f'the head of `{row.head_of}`' if row.head_of else read}, {way}"


def _data(results: Path, settings: Settings) -> str:
    training = str(settings.trained_on())
    splits = read_splits(results / f"cohorts/{training}/splits.csv")
    counts = splits.groupby("split")["patient"].nunique()
    by_split = ", ".join(f"{counts.get(split, 0)} {words}" for split, words in SPLITS.items())
    return f"Trained on {settings.cohorts[training].title}. Patients: {by_split}."


def _sizes_table(sizes: Mapping[str, tuple[int, int]]) -> str:
    rows = [(name, f"{weights / 1e6:.2f}", f"{size / 1e6:.1f}") for name, (weights, size) in sizes.items()]
    table = pd.DataFrame(rows, columns=["network", "million weights", "MB"])
    return tables.markdown(table, "The networks in this bundle.").rstrip()


def _scores_table(results: Path, settings: Settings, approach: str) -> str:
    cohorts = {name: settings.cohorts[name].title for name in settings.labelled()}
    files = [str(finished_file(results / f"scores/{approach}/{cohort}.csv")) for cohort in cohorts]
    rule = settings.evaluation.scoring
    scores = score_under(read_scores(files, cohorts), rule)
    labelled = scores[scores["region"].isin(REGIONS)]
    key = ["cohort", "label"]
    means = labelled.groupby([*key, "region"], observed=True)["dsc"].mean().unstack("region")
    means = means.reindex(columns=list(REGIONS))
    means["whole heart"] = labelled.groupby(key, observed=True)["dsc"].mean()
    cells = (100 * means).map(tables.number).reset_index()
    cells["cohort"] = tables.sparse(tables.titled(cells["cohort"], cohorts))
    caption = f"Mean DSC (%) of the test slices, over {SCORING_RULES[rule]}. {tables.test_data(scores, cohorts)}."
    return tables.markdown(cells.astype(str), caption).rstrip()


def _limits(settings: Settings, content: Mapping) -> str:
    limits = [
        "For research. It is no medical device, and nobody has approved its results for the care of patients.",
        "Nothing is known about scanners, sites and diseases other than those of the cohorts above; judge it on "
        "labelled cases of your own first.",
        "A label map does not say how certain it is. Look at base and apex first, and at the numbers above.",
        "A stack is segmented as this workflow converts it: the third axis is that of the slices, and slice 0 is the "
        "most basal.",
    ]
    if content["networks"] and settings.classification.select_on == "test":
        training = settings.cohorts[str(settings.trained_on())].title
        limits.append(f"The classifier was selected on the test split of {training}; the results there are too good.")
    return "\n".join(f"- {limit}" for limit in limits)
