"""Sums over each patient's slices, and means over the patients: all of them, and all but each.

A cell is a group of slices: those of one run, label and region about which the classifier is right, or wrong. Sums and
means are arrays with named axes:

- ``patient`` (sums): in the order of the patients' first slices, so that their names do not matter,
- ``without`` (means): nobody, then each patient in turn; see `cmrslices.evaluation.jackknife`,
- ``run``: each run; in means also `ALL_RUNS`, all runs together,
- ``classifier``: whether the classifier is ``right`` or ``wrong`` about a slice's region; in means also `EITHER`,
- ``label``: LVBP, LVM, RVBP, and `ANY_LABEL`; in means also `ALL_LABELS`, the mean over the three,
- ``region``: base, middle, apex, non-cardiac; in means also `WHOLE_HEART`, the first three together,
- ``approach``.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from cmrslices.evaluation.jackknife import leave_out_each
from cmrslices.evaluation.statistics import WHOLE_HEART
from cmrslices.labels import LABELS, REGIONS, TABLE_ORDER
from cmrslices.runtime.errors import InputError

ALL_LABELS = "all"
"""Label of the mean over the labels."""
ANY_LABEL = "any"
"""Label of the slices in which something happens to at least one of the labels."""
LABEL_TITLES = {ALL_LABELS: "all (mean)", ANY_LABEL: "any"}
"""Names of these two where readers see them."""
ALL_RUNS = "all"
"""Place on the axis ``run`` of all runs together."""
EITHER = "either"
"""Place of the slices about which the classifier is right and of those about which it is wrong, together."""

CELL = ["patient", "run", "classifier", "label", "region", "approach"]


def count_cells(scores: pd.DataFrame, approaches: list[str]) -> xr.Dataset:
    """Sum what is known of the slices by patient, run, classifier (right or wrong), label, region and approach.

    Parameters
    ----------
    scores : DataFrame
        Of one cohort, under one scoring rule; see `cmrslices.evaluation.answers.answers`.
    approaches : list of str
        The first one is the baseline.

    Returns
    -------
    Dataset, axes patient, run, classifier, label, region, approach
        - ``scored``, ``dsc``: number of slices with a DSC, and the sum of it in %,
        - ``carries``, ``missed``: slices whose reference carries the label, and those of them with a DSC of 0,
        - ``lacks``, ``invented``, ``invented_mm2``: slices whose reference lacks the label, those of them in which some
          of it is predicted, and the sum of its area.

    Raises
    ------
    InputError
        When the approaches of a run are not scored on the same slices.
    """
    _check_slices(scores, approaches)
    carries = scores["reference_mm2"] > 0
    invented = ~carries & (scores["predicted_mm2"] > 0)
    slices = scores.assign(
        classifier=np.where(scores["right"], "right", "wrong"),
        label=scores["label"].astype(str),
        scored=scores["dsc"].notna(),
        dsc=100 * scores["dsc"].fillna(0),
        carries=carries,
        missed=carries & (scores["dsc"] == 0),
        lacks=~carries,
        invented=invented,
        invented_mm2=scores["predicted_mm2"].where(invented, 0),
    )
    either = ["carries", "missed", "lacks", "invented"]
    any_label = slices.groupby(["run", "approach", "case", "slice"], observed=True, sort=False).agg(
        {**dict.fromkeys(["patient", "classifier", "region"], "first"), **dict.fromkeys(either, "any")}
        | {"invented_mm2": "sum"}
    )
    rows = pd.concat([slices, any_label.reset_index().assign(label=ANY_LABEL, scored=False, dsc=0.0)])
    numbers = ["scored", "dsc", *either, "invented_mm2"]
    sums = rows.astype(dict.fromkeys(numbers, float)).groupby(CELL, observed=True)[numbers].sum().to_xarray()
    order = {
        "patient": scores["patient"].unique(),
        "run": scores["run"].unique(),
        "classifier": ["wrong", "right"],
        "label": [*LABELS, ANY_LABEL],
        "region": list(TABLE_ORDER),
        "approach": approaches,
    }
    return sums.reindex(order).fillna(0)


def means(cells: xr.Dataset) -> xr.Dataset:
    """Means over the slices of every cell, of all labels and of the whole heart.

    Parameters
    ----------
    cells : Dataset
        As `count_cells` gives it.

    Returns
    -------
    Dataset, axes without, run, classifier, label, region, approach
        In %, but for the area; NaN where a cell has no slice of the kind.

        - ``dsc``: mean DSC,
        - ``missed``: slices with a DSC of 0, of those that carry the label,
        - ``invented``: slices in which the label is predicted, of those that lack it,
        - ``invented_mm2``: mean area of what is invented, over the slices where it is,
        - ``errors``: slices about which the classifier is wrong, of those that carry the label.
    """
    sums = _with_sums(leave_out_each(cells))
    wrong, either = (sums["carries"].sel(classifier=name, drop=True) for name in ("wrong", EITHER))
    found = xr.Dataset(
        {
            "dsc": _ratio(sums["dsc"], sums["scored"]),
            "missed": _ratio(100 * sums["missed"], sums["carries"]),
            "invented": _ratio(100 * sums["invented"], sums["lacks"]),
            "invented_mm2": _ratio(sums["invented_mm2"], sums["invented"]),
            "errors": _ratio(100 * wrong, either),
        }
    )
    return _joined(found, found.sel(label=list(LABELS)).mean("label", skipna=False), "label", ALL_LABELS)


def patients_in(cells: xr.Dataset) -> xr.Dataset:
    """Number of patients with slices of each kind in every cell.

    Returns
    -------
    Dataset of int, axes classifier, label, region, approach
        ``scored``, ``carries``, ``lacks`` and ``invented``, as in `count_cells`, with the places that `means` adds. For
        all labels, it is the number of the label with the fewest patients.
    """
    kinds = cells[["scored", "carries", "lacks", "invented"]]
    counts = (_with_sums(kinds).sel(run=ALL_RUNS, drop=True) > 0).sum("patient")
    return _joined(counts, counts.sel(label=list(LABELS)).min("label"), "label", ALL_LABELS)


class Summary(NamedTuple):
    """What is known of the cells: `means` and `patients_in`."""

    means: xr.Dataset
    patients: xr.Dataset

    def at(self, **places: str) -> "Summary":
        """Return the part at some places of the axes, such as ``classifier="right"``, without these axes."""
        return Summary(self.means.sel(places, drop=True), self.patients.sel(places, drop=True))


def summarise(cells: xr.Dataset) -> Summary:
    """Take means and count patients; `cells` as `count_cells` gives them, possibly with further axes."""
    return Summary(means(cells), patients_in(cells))


def _check_slices(scores: pd.DataFrame, approaches: list[str]) -> None:
    """Every slice and label of a run is there once for each approach."""
    counts = scores.groupby(["run", "case", "slice", "label", "approach"], observed=True).size().unstack("approach")
    absent = counts.reindex(columns=approaches).isna().any()
    if absent.any():
        raise InputError(
            f"scores: {absent.idxmax()} and {approaches[0]} are not scored on the same slices; publish again"
        )


def _with_sums(cells: xr.Dataset) -> xr.Dataset:
    """The cells with places for all runs, for the classifier right or wrong, and for the whole heart."""
    both = _joined(cells, cells.sum("run"), "run", ALL_RUNS)
    both = _joined(both, both.sum("classifier"), "classifier", EITHER)
    return _joined(both, both.sel(region=list(REGIONS)).sum("region"), "region", WHOLE_HEART)


def _ratio(sums: xr.DataArray, slices: xr.DataArray) -> xr.DataArray:
    return sums / slices.where(slices > 0)


def _joined(cells: xr.Dataset, total: xr.Dataset, axis: str, name: str) -> xr.Dataset:
    """The cells with one more place on an axis."""
    return xr.concat([cells, total.expand_dims({axis: [name]})], axis)
