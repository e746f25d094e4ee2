"""Precision and recall of the slice-region classifiers (Table 2)."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

from cmrslices.labels import SLICE_REGIONS
from cmrslices.prediction.routing import classified_regions
from cmrslices.runtime.errors import InputError

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
    table = pd.read_csv(splits, dtype=str, keep_default_na=False)
    cases = table.loc[table["split"] == split, "case"]
    reference = pd.read_csv(slices, dtype={"case": str}, keep_default_na=False)[["case", "slice", "region"]]
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
        region (`WEIGHTED`, then `SLICE_REGIONS`), slices, precision, recall. A region that is never predicted has
        precision 0, a region without slices has recall 0.
    """
    each = precision_recall_fscore_support(reference, predicted, labels=SLICE_REGIONS, zero_division=0)
    mean = precision_recall_fscore_support(
        reference, predicted, labels=SLICE_REGIONS, average="weighted", zero_division=0
    )
    return pd.DataFrame(
        {
            "region": [WEIGHTED, *SLICE_REGIONS],
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
