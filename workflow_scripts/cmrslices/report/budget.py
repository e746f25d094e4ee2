"""The training budget: what was trained for each approach, in slices and hours, and what it gains over the baseline."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from cmrslices.cohorts.tables import cases_of, read_slices, read_splits
from cmrslices.evaluation.answers import ask_one_run, gaps_and_changes
from cmrslices.evaluation.cells import ALL_LABELS
from cmrslices.evaluation.jackknife import LEVEL, MINIMUM_PATIENTS, jackknife
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.scoring import score_under
from cmrslices.evaluation.statistics import WHOLE_HEART
from cmrslices.evaluation.training_note import training_note
from cmrslices.presentation import pages, tables
from cmrslices.presentation.writing import Files, write_text

REGIONS = {WHOLE_HEART: "Whole heart", "apex": "Apex"}
"""Regions whose gains are shown."""
TITLES = ("What does the training bring?", "What was trained?")
DEVICES = {"cpu": "CPU", "gpu": "GPU"}
NOT_RECORDED = "not recorded"
WITHOUT_CONTROL = "-"
"""Stands for the matched control of an approach that was trained longer than the baseline and has none."""
TRAINING_CAPTION = (
    "All that must be trained before the approach can segment: the models that it sends slices to, those that these "
    "start from, and, where it reads the classifiers, all networks, because one of them is selected. A model that "
    "several approaches need counts for each of them, so that the rows do not add up. An approach that reads the "
    "reference regions needs no classifier, but can segment only what is labelled. Slices seen: epochs, times "
    "mini-batches, times slices per mini-batch; of a classifier: epochs, times training slices. Hours: the time of all "
    "epochs, as measured in this run; an hour on another device is another measure, and for classifiers the device is "
    "not recorded. Matched control: needed only by an approach that was trained longer than the baseline."
)
COLUMNS = [
    *("cohort", "approach", "region", "gain", "low", "high", "gain_per_hour"),
    *("segmenters", "slices", "training_ratio", "hours", "device"),
    *("classifiers", "classifier_slices", "classifier_hours", "control"),
]


def write_budget(
    scores: Sequence[str],
    segmenters: str | Path,
    histories: Mapping[str, str | Path],
    slices: str | Path,
    splits: str | Path,
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    baseline: str,
    models: Mapping[str, Mapping[str, int | None]],
    classified: Sequence[str],
    controls: Mapping[str, str | None],
    scoring: str,
    table: Files,
) -> None:
    """Write the training budget of every approach, and its gains over the baseline beside it.

    Parameters
    ----------
    scores : list of path
        The scores of every approach and cohort.
    segmenters : path
        segmenter_curves.csv, with the seconds of every epoch of every model.
    histories : dict of str to path
        Classifier to its history.csv, with the seconds of every epoch.
    slices, splits : path
        slices.csv and splits.csv of the training cohort: a classifier sees every training slice once per epoch.
    cohorts, approaches : dict of name to title
        In the order of the rows.
    baseline : str
        The approach that the others are compared with.
    models : dict of str to dict of str to int
        Approach to the models that were trained for it, each with the slices that it saw in its own training.
    classified : list of str
        The approaches that read the classifiers.
    controls : dict of str to str or None
        Each approach that was trained longer than the baseline to its matched control.
    scoring : str
        The scoring rule of the gains.
    table : Files
        To write.

    Raises
    ------
    InputError
        When the approaches are not scored on the same slices.
    """
    epochs = pd.read_csv(segmenters)
    of_classifiers = {network: pd.read_csv(history) for network, history in histories.items()}
    trained = trainings(models, baseline, epochs, classified, of_classifiers, count_training_slices(slices, splits))
    told = {name: control or WITHOUT_CONTROL for name, control in controls.items()}
    trained = trained.assign(control=[told.get(name, "") for name in trained["approach"]])
    others = [name for name in approaches if name != baseline]
    gained = gains(score_under(read_scores(scores, cohorts, approaches), scoring), baseline, others)
    found = beside_gains(trained, gained, cohorts)

    note = training_note(trained.set_index("approach")["training_ratio"].to_dict(), controls, approaches)
    parts = [
        (TITLES[0], _gain_caption(approaches[baseline], scoring), gain_cells(found, cohorts, approaches), note),
        (TITLES[1], TRAINING_CAPTION, training_cells(trained, approaches), ""),
    ]
    formats = {
        ".csv": lambda: tables.csv(found),
        ".md": lambda: "\n".join(
            f"## {title}\n\n{tables.markdown(cells, caption, note=below)}" for title, caption, cells, below in parts
        ),
        ".html": lambda: pages.page("Training budget", *(_section(*part) for part in parts)),
    }
    write_text(table, formats)


def count_training_slices(slices: str | Path, splits: str | Path) -> int:
    """Count the slices of the training cases, on which a classifier is trained once per epoch.

    Those that nnU-Net crops away, because all of their voxels are 0, are counted, too; trained on they are not.
    """
    return int(read_slices(slices)["case"].isin(cases_of(read_splits(splits), "train")).sum())


def trainings(
    models: Mapping[str, Mapping[str, int | None]],
    baseline: str,
    epochs: pd.DataFrame,
    classified: Sequence[str],
    histories: Mapping[str, pd.DataFrame],
    training_slices: int,
) -> pd.DataFrame:
    """Sum what was trained for each approach; a model counts once for every approach that it was trained for.

    The hours are those of the epochs from which the final weights come. So those of a training that was interrupted are
    the sum over all of its tries. Of an epoch that was interrupted itself, only the time after the interruption counts.

    Parameters
    ----------
    models, baseline, classified
        See `write_budget`.
    epochs : DataFrame
        model, seconds, and device (cpu or gpu) where it is recorded; a row per epoch.
    histories : dict of str to DataFrame
        Classifier to its history, with seconds; a row per epoch. All classifiers are needed to select one of them.
    training_slices : int
        Slices that a classifier is trained on in each epoch.

    Returns
    -------
    DataFrame
        approach, segmenters (names, apart by blanks), slices (seen in training), training_ratio (slices as a multiple
        of the baseline's), hours, device (on which they were measured; empty where it is not recorded), and of the
        classifiers: classifiers (names), classifier_slices and classifier_hours (0 where they are not read).
    """
    seconds = epochs.groupby("model")["seconds"].sum()
    device = epochs.groupby("model")["device"].first() if "device" in epochs else pd.Series(dtype=str)
    rows = []
    for approach, slices in models.items():
        read = histories if approach in classified else {}
        rows.append(
            {
                "approach": approach,
                "segmenters": " ".join(slices),
                "slices": _total(slices),
                "training_ratio": _total(slices) / _total(models[baseline]),
                "hours": seconds[list(slices)].sum() / 3600 if slices else math.nan,
                "device": " ".join(sorted(set(device.reindex(list(slices)).dropna()))),
                "classifiers": " ".join(read),
                "classifier_slices": training_slices * sum(map(len, read.values())),
                "classifier_hours": sum(history["seconds"].sum() for history in read.values()) / 3600,
            }
        )
    return pd.DataFrame(rows)


def _total(slices: Mapping[str, int | None]) -> float:
    """Slices that some models saw; NaN where one of them is a 3D model, or where there is none."""
    return sum(seen if seen is not None else math.nan for seen in slices.values()) if slices else math.nan


def gains(scores: pd.DataFrame, baseline: str, others: Sequence[str]) -> pd.DataFrame:
    """What every other approach changes against the baseline, as a mean over the labels.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, under one scoring rule.
    baseline : str
    others : list of str

    Returns
    -------
    DataFrame
        cohort, approach, region (of `REGIONS`), gain, low, high (its interval; NaN where there is none), in points of
        DSC %.
    """
    parts = []
    for cohort, answer in ask_one_run(scores, baseline, others, gaps_and_changes):
        if answer.question == "change":
            found = jackknife(answer.values, answer.patients)
            low, high = found.interval()
            parts.append(answer.table(cohort, gain=found.answer, low=low, high=high))
    columns = ["cohort", "approach", "region", "gain", "low", "high"]
    if not parts:
        return pd.DataFrame(columns=columns)
    found = pd.concat(parts, ignore_index=True)
    return found.loc[(found["label"] == ALL_LABELS) & found["region"].isin(REGIONS), columns]


def beside_gains(trained: pd.DataFrame, gained: pd.DataFrame, cohorts: Iterable[str]) -> pd.DataFrame:
    """Put gains and trainings side by side, with the gain per hour of segmenters and classifiers together.

    Parameters
    ----------
    trained : DataFrame
        As `trainings` gives it, with control.
    gained : DataFrame
        As `gains` gives it.
    cohorts : iterable of str

    Returns
    -------
    DataFrame
        `COLUMNS`: a row per cohort, approach and region. The baseline has no gain.
    """
    places = pd.MultiIndex.from_product([cohorts, trained["approach"], REGIONS], names=["cohort", "approach", "region"])
    table = gained.set_index(places.names).reindex(places).reset_index().merge(trained, on="approach", how="left")
    return table.assign(gain_per_hour=table["gain"] / (table["hours"] + table["classifier_hours"]))[COLUMNS]


def gain_cells(found: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> pd.DataFrame:
    """Cells of the gains beside the trainings: a row per cohort and approach.

    Parameters
    ----------
    found : DataFrame
        As `beside_gains` gives it.
    cohorts, approaches : dict of name to title
    """
    rows = found[found["region"] == WHOLE_HEART]
    cells = {
        ("", "Dataset"): tables.sparse(tables.titled(rows["cohort"], cohorts)),
        ("", "Approach"): tables.titled(rows["approach"], approaches),
        ("Training", "slices, times the baseline's"): rows["training_ratio"].map(tables.number),
        ("Training", "hours of segmenters"): rows["hours"].map(_hours),
        ("Training", "hours of classifiers"): rows["classifier_hours"].map(_hours),
    }
    for region, title in REGIONS.items():
        part = found[found["region"] == region]
        gain = part[["gain", "low", "high"]].itertuples(index=False)
        cells[title, "gain"] = pd.Series([tables.with_interval(*row) for row in gain], rows.index)
        cells[title, "gain per hour"] = part["gain_per_hour"].map(tables.number).set_axis(rows.index)
    return pd.DataFrame(cells)


def training_cells(trained: pd.DataFrame, approaches: Mapping[str, str]) -> pd.DataFrame:
    """Cells of what was trained: a row per approach; `trained` as `beside_gains` takes it."""
    control = trained["control"].where(trained["control"] != trained["approach"], "itself")
    return pd.DataFrame(
        {
            ("", "Approach"): tables.titled(trained["approach"], approaches),
            ("Segmenters", "models"): trained["segmenters"].str.replace(" ", ", "),
            ("Segmenters", "slices seen"): trained["slices"].map(_count),
            ("Segmenters", "hours"): trained["hours"].map(_hours),
            ("Segmenters", "measured on"): trained["device"].map(_devices),
            ("Segmenters", "matched control"): tables.titled(control, {**approaches, WITHOUT_CONTROL: "none"}),
            ("Classifiers", "networks"): trained["classifiers"].str.split().map(len).map(_count),
            ("Classifiers", "slices seen"): trained["classifier_slices"].map(_count),
            ("Classifiers", "hours"): trained["classifier_hours"].map(_hours),
        }
    )


def _gain_caption(baseline: str, scoring: str) -> str:
    return (
        f"Gain over {baseline}, in points of DSC %, as the mean over the labels, beside what was trained for it. "
        f"Brackets: {LEVEL:.0%} intervals over patients, none with fewer than {MINIMUM_PATIENTS}. Slices: those that "
        "the segmenters of the approach saw in training, as a multiple of the baseline's. Hours: as in the next table. "
        "Gain per hour: the gain, divided by the hours of segmenters and classifiers together. Scoring rule: "
        f"{scoring}."
    )


def _section(title: str, caption: str, cells: pd.DataFrame, note: str) -> str:
    parts = [pages.heading(title), pages.paragraph(caption), pages.table(cells)]
    return "\n".join([*parts, pages.paragraph(note)] if note else parts)


def _devices(names: str) -> str:
    return ", ".join(DEVICES[name] for name in names.split()) or NOT_RECORDED


def _count(count: float) -> str:
    return f"{int(count):,}" if count > 0 else ""


def _hours(hours: float) -> str:
    return tables.number(hours, 1 if hours >= 10 else 3) if hours > 0 else ""
