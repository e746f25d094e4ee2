"""How far the classifiers' probabilities can be believed, before and after calibration."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.classification.calibration import (
    ALL,
    calibrated,
    class_indices,
    read_all,
    read_temperature,
    values_of,
)
from cmrslices.classification.metrics import read_reference
from cmrslices.classification.probabilities import read_probabilities
from cmrslices.classification.readings_table import HEAD, NO_IMAGE, TITLES, regions_by_index
from cmrslices.classification.reliability_diagram import draw_reliability
from cmrslices.cohorts.regions import RegionRule
from cmrslices.presentation import tables
from cmrslices.presentation.figures import write_figure
from cmrslices.presentation.writing import Files, write_table

BINS = 15
"""Bins of equal width of the top probability (Guo et al., 2017)."""
MEAN_TITLE = "Mean of all"
STATES = ("before", "after")


def reliability_bins(probabilities: np.ndarray, classes: np.ndarray) -> pd.DataFrame:
    """Sort slices by their top probability into `BINS` bins of equal width between 0 and 1.

    Parameters
    ----------
    probabilities : (slices, classes) array
        Each row sums to 1.
    classes : (slices,) array of int
        The reference class of each slice.

    Returns
    -------
    DataFrame
        A row per bin: ``low``, its lower bound, which does not belong to it; ``slices``; their mean top probability
        (``confidence``) and the share of them whose most probable class is right (``accuracy``), NaN for an empty bin.
    """
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes
    numbers = np.clip(np.ceil(top * BINS).astype(int) - 1, 0, BINS - 1)
    of_slices = pd.DataFrame({"bin": numbers, "confidence": top, "accuracy": right.astype(float)})
    means = of_slices.groupby("bin").mean().reindex(range(BINS))
    counts = np.bincount(numbers, minlength=BINS)
    return means.assign(low=np.arange(BINS) / BINS, slices=counts)[["low", "slices", "confidence", "accuracy"]]


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance of accuracy and confidence over the slices, by their bins: 0 at best, 1 at worst.

    Parameters
    ----------
    bins : DataFrame
        As `reliability_bins` gives them.
    """
    filled = bins[bins["slices"] > 0]
    return float(np.average((filled["accuracy"] - filled["confidence"]).abs(), weights=filled["slices"]))


def brier_score(probabilities: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean over slices of the squared distance to certainty about the right class: 0 at best, 2 at worst.

    Parameters are those of `reliability_bins`.
    """
    certain = np.eye(probabilities.shape[1])[classes]
    return float(((probabilities - certain) ** 2).sum(axis=1).mean())


def write_reliability(
    networks: Mapping[str, str],
    probabilities: Sequence[str | Path],
    slices: str | Path,
    splits: str | Path,
    calibration: str | Path,
    select_on: str,
    rule: RegionRule,
    table: Files,
    figure: Files,
    heads: Sequence[str] = (),
    head_probabilities: Sequence[str | Path] = (),
    head_calibrations: Sequence[str | Path] = (),
) -> None:
    """Write the reliability of each network, of the mean of all and of joint models' heads: a table, and a diagram.

    The last row of the table is the rule that looks at no image, which has an accuracy but no probabilities.

    Parameters
    ----------
    networks : dict of name to title
    probabilities : list of path
        Region probabilities of the training cohort, in the order of `networks`.
    slices, splits : path
        Of the training cohort.
    calibration : path
        ``classifiers/calibration.yaml``.
    select_on : str
        The split on which the networks are judged, as in Table 2.
    rule : RegionRule
        The configuration's `regions`.
    table, figure : Files
        To write.
    heads : list of str
        Joint models whose head an approach reads.
    head_probabilities, head_calibrations : list of path
        Region probabilities of the training cohort by each head, and what `write_calibration` wrote of it, in the
        order of `heads`.

    Raises
    ------
    InputError
        The split is empty, or a slice of it has no probabilities.
    """
    reference = read_reference(slices, splits, select_on)
    classes = class_indices(reference["region"])
    rows, bins = [], {}
    titles = {**networks, ALL: MEAN_TITLE}
    read = {
        name: (of_network, read_temperature(calibration, name))
        for name, of_network in read_all(list(networks), probabilities).items()
    }
    for model, file, of_head in zip(heads, head_probabilities, head_calibrations, strict=True):
        name = HEAD.format(model=model)
        titles[name] = f"{name[0].upper()}{name[1:]}"  # the model keeps its case
        read[name] = (read_probabilities(file), read_temperature(of_head, model))
    for name, (of_network, temperature) in read.items():
        values = values_of(of_network, reference, name)
        temperatures = {"before": 1.0, "after": temperature}
        states = {state: calibrated(values, temperature) for state, temperature in temperatures.items()}
        bins[titles[name]] = {state: reliability_bins(shown, classes) for state, shown in states.items()}
        right = 100 * (values.argmax(axis=1) == classes).mean()
        rows.append({"network": name, "temperature": temperatures["after"], "right_percent": right})
        for state, shown in states.items():
            rows[-1][f"ece_percent_{state}"] = 100 * expected_calibration_error(bins[titles[name]][state])
            rows[-1][f"brier_{state}"] = brier_score(shown, classes)
    by_index = regions_by_index(reference, rule)["region"]
    rows.append({"network": NO_IMAGE[1], "right_percent": 100 * (by_index == reference["region"]).mean()})
    numbers = pd.DataFrame(rows)
    cells = layout(numbers, {**titles, NO_IMAGE[1]: TITLES[NO_IMAGE]})
    write_table(table, numbers, "Reliability of the classifiers", _caption(reference, select_on), cells)
    write_figure(figure, "Reliability of the classifiers", draw_reliability(bins))


def layout(numbers: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Arrange the cells: a row per network, the mean of all, each head, and the rule that looks at no image."""
    columns = {
        "slices right [%]": ("right_percent", 1),
        "temperature": ("temperature", 2),
        "ECE before [%]": ("ece_percent_before", 1),
        "ECE after [%]": ("ece_percent_after", 1),
        "Brier before": ("brier_before", 3),
        "Brier after": ("brier_after", 3),
    }
    shown = {
        title: [tables.number(value, decimals) for value in numbers[column]]
        for title, (column, decimals) in columns.items()
    }
    return pd.DataFrame({"": numbers["network"].map(titles), **shown})


def _caption(reference: pd.DataFrame, split: str) -> str:
    known = " These are the slices that the temperatures were fitted on." if split == "validation" else ""
    return (
        f"Reliability of the slice-region classifiers on the {split} split of the training cohort, "
        f"n = {reference['case'].nunique()} cases, {len(reference)} slices, before and after calibration by a "
        f"temperature, which was fitted on the validation split.{known} ECE: expected calibration error over {BINS} "
        "bins of equal width of the top probability, 0 % at best. Brier: squared distance to certainty about the right "
        "class, summed over the four classes, 0 at best, 2 at worst. The last row looks at no image: a classifier that "
        "is right about fewer slices knows less than the index of a slice tells."
    )
