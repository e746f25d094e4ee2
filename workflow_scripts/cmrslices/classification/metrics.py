"""Precision and recall of the slice-region classifiers (Table 2)."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

from cmrslices.classification.probabilities import classified_regions, of_slices, read_probabilities
from cmrslices.cohorts.tables import cases_of, read_slices, read_splits
from cmrslices.labels import TABLE_ORDER
from cmrslices.runtime.errors import InputError

WEIGHTED = "all"
"""In the column ``region``: the average over the classes, weighted by their numbers of slices."""


def read_reference(slices: str | Path, splits: str | Path, split: str) -> pd.DataFrame:
    """Read the reference region of every slice of one split.

    Parameters
    ----------
    slices, splits : path
        The cohort's ``slices.csv`` and ``splits.csv``.
    split : str
        Name of the split.

    Returns
    -------
    DataFrame
        case, slice, region; sorted.

    Raises
    ------
    InputError
        When the split is empty.
    """
    cases = cases_of(read_splits(splits), split)
    reference = read_slices(slices)[["case", "slice", "region"]]
    reference = reference[reference["case"].isin(cases)].sort_values(["case", "slice"], ignore_index=True)
    if reference.empty:
        raise InputError(
            f"{splits}: no slice is in the {split} split; give it patients or change classification.select_on"
        )
    return reference


def read_predicted(probabilities: str | Path, reference: pd.DataFrame) -> np.ndarray:
    """Read the most probable region of each slice of `reference`, by one network.

    Parameters
    ----------
    probabilities : path
        ``classifiers/<network>/<cohort>.csv``.
    reference : DataFrame
        case, slice, region.

    Returns
    -------
    array of str, one per row of `reference`

    Raises
    ------
    InputError
        When a slice has no probabilities.
    """
    predicted = classified_regions(read_probabilities(probabilities))
    rows = of_slices(predicted, reference, str(probabilities), "no probabilities", "delete it and run again")
    return rows["region"].to_numpy()


def precision_recall(reference: pd.Series, predicted: np.ndarray) -> pd.DataFrame:
    """Return precision and recall (%) of each slice class, and their weighted averages.

    Returns
    -------
    DataFrame
        region (`WEIGHTED`, then `TABLE_ORDER`), slices, precision, recall. The precision of a class that is never
        predicted is 0, and so is the recall of a class without slices.
    """
    score = partial(precision_recall_fscore_support, reference, predicted, labels=TABLE_ORDER, zero_division=0)
    each, mean = score(), score(average="weighted")
    return pd.DataFrame(
        {
            "region": [WEIGHTED, *TABLE_ORDER],
            "slices": [len(reference), *each[3]],
            "precision": 100 * np.array([mean[0], *each[0]]),
            "recall": 100 * np.array([mean[1], *each[1]]),
        }
    )


def best_network(table: pd.DataFrame) -> str:
    """Return the network with the highest mean of weighted precision and recall; if several have it, the first.

    Parameters
    ----------
    table : DataFrame
        network and the columns of `precision_recall`.
    """
    weighted = table[table["region"] == WEIGHTED].set_index("network")
    return weighted[["precision", "recall"]].mean(axis=1).idxmax()
