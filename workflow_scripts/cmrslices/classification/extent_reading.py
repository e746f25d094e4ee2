"""The regions of a stack by the slices in which a model's segmentation finds a label.

The reference regions follow from the slices that carry a label. So the same rule, applied to the slices in which a
segmentation finds one, names regions without a classifier. A segmentation misses some labelled slices and finds a label
in some empty ones, at rates that the validation split of the training cohort tells. With these rates, "found" is
evidence that `cmrslices.classification.stack_reading` weighs, alone or together with a classifier's probabilities.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cmrslices.classification.calibration import validation_reference
from cmrslices.classification.probabilities import of_slices
from cmrslices.classification.readings import calibrated_evidence, marginals_by_stack, write_reading
from cmrslices.classification.stack_reading import best_regions, by_stack
from cmrslices.cohorts.regions import RegionRule, slice_regions
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES


class FoundRates(NamedTuple):
    """How probable it is that a label is found in a slice.

    Attributes
    ----------
    labelled, empty : float
        In a slice that carries a label, and in one that carries none.
    """

    labelled: float
    empty: float


def read_extent(file: str | Path) -> pd.DataFrame:
    """Read ``extents/<model>/<cohort>.csv``: ``case``, ``slice``, and ``found``, whether the model finds any label."""
    return pd.read_csv(file, dtype={"case": str, "slice": int, "found": bool}, keep_default_na=False)


def found_rates(found: np.ndarray, labelled: np.ndarray) -> FoundRates:
    """Estimate the two rates; half a slice is added to each count, so that no rate is 0 or 1.

    Without slices of a kind, its rate is 1/2, which says nothing about them.

    Parameters
    ----------
    found, labelled : (slices,) array of bool
        Whether a label is found in each slice, and whether the slice carries one.

    Examples
    --------
    All three labelled slices and one of two empty ones are found:

    >>> rates = found_rates(np.array([1, 1, 1, 1, 0], dtype=bool), np.array([1, 1, 1, 0, 0], dtype=bool))
    >>> print(rates.labelled, rates.empty)
    0.875 0.5
    """
    return FoundRates(*(float((part.sum() + 0.5) / (len(part) + 1)) for part in (found[labelled], found[~labelled])))


def found_evidence(found: np.ndarray, rates: FoundRates) -> np.ndarray:
    """Return the log probability that each slice is found, or not found, as it is, if it belonged to each class.

    Parameters
    ----------
    found : (slices,) array of bool
    rates : FoundRates

    Returns
    -------
    (slices, classes) array
        Classes in the order of `SLICE_CLASSES`; the three regions have the same evidence.
    """
    of_class = np.array([rates.empty if name == NON_CARDIAC else rates.labelled for name in SLICE_CLASSES])
    return np.log(np.where(found[:, None], of_class, 1 - of_class))


def extent_regions(extent: pd.DataFrame, rule: RegionRule) -> pd.DataFrame:
    """Return the region of every slice, as if the slices that are found were those that carry a label.

    Slices between found ones that are not found themselves are non-cardiac, as they are by the reference labels.

    Parameters
    ----------
    extent : DataFrame
        As `read_extent` gives it.
    rule : RegionRule
        The configuration's `regions`.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``, in the order of the rows.
    """
    regions = by_stack(extent, extent["found"].to_numpy(), lambda found: slice_regions(found, rule)[0])
    return extent[["case", "slice"]].assign(region=regions)


def validation_rates(extent: str | Path, slices: str | Path, splits: str | Path) -> FoundRates:
    """Estimate the rates of a model on the validation split of the training cohort.

    Parameters
    ----------
    extent, slices, splits : path
        Of the training cohort: ``extents/<model>/<cohort>.csv``, ``slices.csv`` and ``splits.csv``.

    Raises
    ------
    InputError
        No case is in the validation split, or a slice of it is not in `extent`.
    """
    reference = validation_reference(slices, splits)
    labelled = (reference["region"] != NON_CARDIAC).to_numpy()
    rates = found_rates(found_in(read_extent(extent), reference), labelled)
    counts = {"labelled": labelled.sum(), "empty": (~labelled).sum()}
    for kind, count in counts.items():
        told = f"{getattr(rates, kind):.3f}" if count else "1/2, which says nothing, because there is no such slice"
        print(f"found, of {count} {kind} validation slices: {told}", flush=True)
    return rates


def found_in(extent: pd.DataFrame, slices: pd.DataFrame) -> np.ndarray:
    """Return whether a label is found in each of some slices.

    Parameters
    ----------
    extent : DataFrame
        As `read_extent` gives it.
    slices : DataFrame
        ``case`` and ``slice``.

    Raises
    ------
    InputError
        A slice is not in `extent`.
    """
    rows = of_slices(extent, slices, "extents", "none", "run find_extent again")
    return rows["found"].to_numpy(dtype=bool)


def write_extent_reading(
    extent: str | Path,
    validation_extent: str | Path,
    slices: str | Path,
    splits: str | Path,
    rule: RegionRule,
    regions: str | Path,
) -> None:
    """Write the region of every slice of one cohort by a model's extent alone, and the weights of all regions.

    Parameters
    ----------
    extent : path
        ``extents/<model>/<cohort>.csv``.
    validation_extent, slices, splits : path
        Of the training cohort, see `validation_rates`.
    rule : RegionRule
        The configuration's `regions`.
    regions : path
        To write, see `cmrslices.classification.readings.write_reading`. The region is that of `extent_regions`; the
        weights are the marginals of the stack, with `found_evidence` alone.

    Raises
    ------
    InputError
        As in `validation_rates`.
    """
    write_extent_regions(extent, validation_rates(validation_extent, slices, splits), rule, regions)


def write_extent_regions(extent: str | Path, rates: FoundRates, rule: RegionRule, regions: str | Path) -> None:
    """Write what `write_extent_reading` writes, from rates that are known."""
    table = read_extent(extent)
    evidence = found_evidence(table["found"].to_numpy(), rates)
    write_reading(extent_regions(table, rule), marginals_by_stack(table, evidence, rule), regions)


def write_weighed_reading(
    extent: str | Path,
    validation_extent: str | Path,
    slices: str | Path,
    splits: str | Path,
    chosen: str,
    selected: str | Path | None,
    networks: Sequence[str],
    probabilities: Sequence[str | Path],
    calibration: str | Path,
    rule: RegionRule,
    regions: str | Path,
) -> None:
    """Write the region of every slice of one cohort by a model's extent and the classifiers together, and the weights.

    The evidence of a slice is log p/T plus `found_evidence`; the stack is read from it as a whole.

    Parameters
    ----------
    extent, validation_extent, slices, splits, rule, regions
        As in `write_extent_reading`.
    chosen, selected, networks, probabilities, calibration
        As in `cmrslices.classification.readings.write_classifier_reading`.

    Raises
    ------
    InputError
        As in `validation_rates`, or model and networks do not have the same slices.
    """
    rates = validation_rates(validation_extent, slices, splits)
    write_weighed_regions(extent, rates, chosen, selected, networks, probabilities, calibration, rule, regions)


def write_weighed_regions(
    extent: str | Path,
    rates: FoundRates,
    chosen: str,
    selected: str | Path | None,
    networks: Sequence[str],
    probabilities: Sequence[str | Path],
    calibration: str | Path,
    rule: RegionRule,
    regions: str | Path,
) -> None:
    """Write what `write_weighed_reading` writes, from rates that are known."""
    table, evidence = calibrated_evidence(
        chosen, selected, dict(zip(networks, probabilities, strict=True)), calibration
    )
    both = evidence + found_evidence(found_in(read_extent(extent), table), rates)
    best = by_stack(table, both, lambda stack: best_regions(stack, rule))
    write_reading(table[["case", "slice"]].assign(region=best), marginals_by_stack(table, both, rule), regions)
