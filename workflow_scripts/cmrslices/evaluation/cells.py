"""Slices summed by patient and cell, and the cells' means over the patients and over draws of them.

A cell holds the slices of one seed, label, region and approach of which the classifier names the region rightly or
wrongly. Its arrays have named axes:

- ``patient``: in the order of their first slice, whatever they are called,
- ``seed``: each seed; in means also `ALL_SEEDS`, all seeds together,
- ``draw``: in means only; `OBSERVED`, the patients as they are, then the draws of the bootstrap,
- ``classifier``: whether the selected classifier is ``right`` or ``wrong`` about the slice; in means also ``either``,
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
"""Slices of which the classifier is right or wrong."""

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
        - ``dsc``, with the axis approach: the sum of the slices' DSC, in %,
        - ``missed``, with the axis approach: slices with a DSC of 0, times 100,
        - ``slices``: their number.

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
        - ``errors``: slices of which the classifier is wrong.
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
        With the places that `means` adds; for all labels, the number of the label with the fewest.
    """
    slices = cells["slices"].sum("seed").to_dataset()
    slices = _with_sum(_with_sum(slices, "classifier", EITHER), "region", WHOLE_HEART)
    counts = (slices > 0).sum("patient")
    return _joined(counts, counts.min("label"), "label", ALL_LABELS)["slices"]


def _with_sum(cells: xr.Dataset, axis: str, name: str) -> xr.Dataset:
    return _joined(cells, cells.sum(axis), axis, name)


def _joined(cells: xr.Dataset, total: xr.Dataset, axis: str, name: str) -> xr.Dataset:
    """The cells with another place on an axis."""
    return xr.concat([cells, total.expand_dims({axis: [name]})], axis)
