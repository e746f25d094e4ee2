"""Precision and recall of the slice-region classifiers (Table 2)."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

from cmrslices.cohorts.tables import cases_of, read_slices, read_splits
from cmrslices.labels import NON_CARDIAC, REGIONS
from cmrslices.prediction.routing import classified_regions
from cmrslices.runtime.errors import InputError

CLASSES = (*REGIONS, NON_CARDIAC)
"""Slice classes from base to apex, then the slices outside the heart."""

WEIGHTED = "all"
"""Region that stands for the average over the classes, weighted by their slices."""


def read_reference(slices: str | Path, splits: str | Path, split: str) -> pd.DataFrame:
    """Reference region of every slice of one split.

    Parameters
    ----------
    slices, splits : path
        The cohort's slices.csv and splits.csv.
    split : str

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
    """The most probable region of each slice of `reference`, by one network.

    Parameters
    ----------
    probabilities : path
        CSV with case, slice and a column per slice class.
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
    predicted = classified_regions(pd.read_csv(probabilities, dtype={"case": str}))
    key = ["case", "slice"]
    rows = reference[key].merge(predicted, on=key, how="left", validate="one_to_one")
    missing = rows.loc[rows["region"].isna(), "case"]
    if len(missing):
        raise InputError(
            f"{probabilities}: {len(missing)} slices have no probabilities, the first of {missing.iloc[0]}; "
            "delete it and run again"
        )
    return rows["region"].to_numpy()


def precision_recall(reference: pd.Series, predicted: np.ndarray) -> pd.DataFrame:
    """Precision and recall (%) of each slice class and their weighted average.

    Returns
    -------
    DataFrame
        region (`WEIGHTED`, then `CLASSES`), slices, precision, recall. A class that is never predicted has
        precision 0, one without slices recall 0.
    """
    each = precision_recall_fscore_support(reference, predicted, labels=CLASSES, zero_division=0)
    mean = precision_recall_fscore_support(reference, predicted, labels=CLASSES, average="weighted", zero_division=0)
    return pd.DataFrame(
        {
            "region": [WEIGHTED, *CLASSES],
            "slices": [len(reference), *each[3]],
            "precision": 100 * np.array([mean[0], *each[0]]),
            "recall": 100 * np.array([mean[1], *each[1]]),
        }
    )


def best_network(table: pd.DataFrame) -> str:
    """The network with the highest mean of weighted precision and recall; the first of equals.

    Parameters
    ----------
    table : DataFrame
        network and the columns of `precision_recall`.
    """
    weighted = table[table["region"] == WEIGHTED].set_index("network")
    return weighted[["precision", "recall"]].mean(axis=1).idxmax()
