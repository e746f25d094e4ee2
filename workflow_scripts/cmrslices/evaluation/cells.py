"""Sums over each patient's slices, and means over the patients and over the patients that a bootstrap draws.

A cell is a group of slices: those of one seed, label and region about which the classifier is right, or wrong. Sums and
means are arrays with named axes:

- ``patient`` (sums): in the order of the patients' first slices, so that their names do not matter,
- ``draw`` (means): `OBSERVED`, the patients as they are, then the draws of the bootstrap,
- ``seed``: each seed; in means also `ALL_SEEDS`, all seeds together,
- ``classifier``: whether the classifier is ``right`` or ``wrong`` about a slice's region; in means also `EITHER`,
- ``label``: LVBP, LVM, RVBP; in means also `ALL_LABELS`, the mean over the labels,
- ``region``: base, middle, apex; in means also `WHOLE_HEART`, all slices together,
- ``approach``.
"""

import numpy as np
import pandas as pd
import xarray as xr

from cmrslices.evaluation.intervals import ALL_SEEDS
from cmrslices.evaluation.statistics import WHOLE_HEART
from cmrslices.labels import LABELS, REGIONS
from cmrslices.runtime.errors import InputError

ALL_LABELS = "all"
"""Label of the mean over the labels."""
EITHER = "either"
"""Place of the slices about which the classifier is right and of those about which it is wrong, together."""

CELL = ["patient", "seed", "classifier", "label", "region"]


def count_cells(scores: pd.DataFrame, approaches: list[str]) -> xr.Dataset:
    """Sum the slices' DSC by patient, seed, classifier (right or wrong), label, region and approach.

    Parameters
    ----------
    scores : DataFrame
        Of one cohort, without empty DSCs; see `cmrslices.evaluation.answers.answers`.
    approaches : list of str
        The first one is the baseline.

    Returns
    -------
    Dataset, axes patient, seed, classifier, label, region
        - ``dsc``, with the axis approach: the sum of the slices' DSC in %,
        - ``missed``, with the axis approach: the number of slices with a DSC of 0, times 100,
        - ``slices``: the number of slices.

    Raises
    ------
    InputError
        When the approaches of a seed are not scored on the same slices.
    """
    names = scores.assign(classifier=np.where(scores["right"], "right", "wrong"))
    wide = names.pivot(index=[*CELL, "case", "slice"], columns="approach", values="dsc").reindex(columns=approaches)
    if wide.isna().any(axis=None):
        first = wide.columns[wide.isna().any()][0]
        raise InputError(f"scores: {first} and {approaches[0]} are not scored on the same slices; publish again")
    sums = {
        "dsc": (100 * wide).groupby(CELL, observed=True).sum().stack(),
        "missed": (100.0 * (wide == 0)).groupby(CELL, observed=True).sum().stack(),
        "slices": wide.groupby(CELL, observed=True).size().astype(float),
    }
    cells = xr.Dataset({name: part.to_xarray() for name, part in sums.items()})
    order = {
        "patient": scores["patient"].unique(),
        "seed": scores["seed"].unique(),
        "classifier": ["wrong", "right"],
        "label": list(LABELS),
        "region": list(REGIONS),
        "approach": approaches,
    }
    return cells.reindex(order).fillna(0)


def means(cells: xr.Dataset, weights: xr.DataArray) -> xr.Dataset:
    """Weighted means over the slices of every cell, of all labels and of the whole heart.

    Parameters
    ----------
    cells : Dataset
        As `count_cells` gives it.
    weights : DataArray, axes draw, patient
        How often each patient counts.

    Returns
    -------
    Dataset, axes seed, draw, label, region
        In %; NaN where a cell has no slice.

        - ``dsc``, with the axes classifier and approach: mean DSC,
        - ``missed``, with the axes classifier and approach: slices with a DSC of 0,
        - ``errors``: slices about which the classifier is wrong.
    """
    drawn = cells.map(xr.dot, args=(weights,), dim="patient", optimize=True)
    sums = _with_sum(drawn, "seed", ALL_SEEDS)
    sums = _with_sum(_with_sum(sums, "classifier", EITHER), "region", WHOLE_HEART)
    slices = sums["slices"]
    found = xr.Dataset(
        {
            "dsc": sums["dsc"] / slices,
            "missed": sums["missed"] / slices,
            "errors": 100 * slices.sel(classifier="wrong", drop=True) / slices.sel(classifier=EITHER, drop=True),
        }
    )
    return _joined(found, found.mean("label", skipna=False), "label", ALL_LABELS)


def patients_in(cells: xr.Dataset) -> xr.DataArray:
    """Number of patients with slices in every cell.

    Returns
    -------
    DataArray of int, axes classifier, label, region
        With the places that `means` adds. For all labels, it is the number of the label with the fewest patients.
    """
    slices = cells["slices"].sum("seed").to_dataset()
    slices = _with_sum(_with_sum(slices, "classifier", EITHER), "region", WHOLE_HEART)
    counts = (slices > 0).sum("patient")
    return _joined(counts, counts.min("label"), "label", ALL_LABELS)["slices"]


def _with_sum(cells: xr.Dataset, axis: str, name: str) -> xr.Dataset:
    return _joined(cells, cells.sum(axis), axis, name)


def _joined(cells: xr.Dataset, total: xr.Dataset, axis: str, name: str) -> xr.Dataset:
    """The cells with one more place on an axis."""
    return xr.concat([cells, total.expand_dims({axis: [name]})], axis)
