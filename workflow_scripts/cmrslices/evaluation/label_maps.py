"""Label maps of a cohort's test cases, predicted and reference, and tables with rows for each of their slices."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.cohorts.tables import cases_of, read_slices, read_splits
from cmrslices.labels import LABELS, TABLE_ORDER
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import Volume, read_volume

PLACE = ["cohort", "approach", "case", "patient", "phase", "slice", "region", "position"]
"""Columns that say which slice a row of a table is about."""
TOLERANCE_MM = 1e-3


def tested_cases(splits: str | Path) -> list[str]:
    """Cases of a cohort's test split, sorted.

    Parameters
    ----------
    splits : path
        The cohort's splits.csv.

    Raises
    ------
    InputError
        When there is no test case.
    """
    cases = cases_of(read_splits(splits), "test")
    if not cases:
        raise InputError(f"{splits}: no case is in the test split; give it patients (config key: splits)")
    return cases


def read_label_maps(case: str, predictions: Path, references: Path) -> tuple[Volume, Volume]:
    """Read the predicted and the reference label map of a case, which lie on one grid.

    Parameters
    ----------
    case : str
    predictions, references : path
        Folders with {case}.nii.gz of an approach and of the cohort.

    Returns
    -------
    (prediction, reference)
        Voxels are uint8, with values 0 to 3 (`cmrslices.labels.LABELS`).

    Raises
    ------
    InputError
        When a label map is missing, unreadable or holds another value, or when the two differ in geometry.
    """
    prediction = _read_label_map(predictions / f"{case}.nii.gz", case)
    reference = _read_label_map(references / f"{case}.nii.gz", case)
    of_reference = _grid(reference)
    for name, predicted in _grid(prediction).items():
        expected = of_reference[name]
        if not np.abs(predicted - expected).max() <= TOLERANCE_MM:
            raise InputError(
                f"{case}: prediction and reference differ in {name} "
                f"({tuple(predicted.tolist())} and {tuple(expected.tolist())}); delete {predictions} and predict again"
            )
    return prediction, reference


def labelled_box(labelled: np.ndarray) -> tuple[slice, slice]:
    """The smallest box that holds everything labelled.

    Parameters
    ----------
    labelled : bool or integer array, shape (rows, columns)

    Returns
    -------
    (rows, columns)
        As slices; both are empty where nothing is labelled.

    Examples
    --------
    >>> labels = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0]])
    >>> labels[labelled_box(labels)].tolist()
    [[1, 0], [0, 2]]
    """
    return _extent(np.logical_or.reduce(labelled, axis=1)), _extent(np.logical_or.reduce(labelled, axis=0))


def places_of_slices(path: str | Path, cases: list[str], counts: list[int]) -> pd.DataFrame:
    """Rows of slices.csv in the order of the cases and their slices.

    Parameters
    ----------
    path : path
        The cohort's slices.csv.
    cases : list of str
        Sorted.
    counts : list of int
        Number of slices of each case's label map.

    Raises
    ------
    InputError
        When slices.csv does not have the slices of a case.
    """
    slices = read_slices(path)
    slices = slices[slices["case"].isin(cases)].sort_values(["case", "slice"])
    numbers = np.concatenate([np.arange(count) for count in counts])
    if not (np.array_equal(slices["case"], np.repeat(cases, counts)) and np.array_equal(slices["slice"], numbers)):
        found = slices.groupby("case")["slice"].agg(list)
        unmatched = next(
            case for case, count in zip(cases, counts, strict=True) if found.get(case) != list(range(count))
        )
        raise InputError(f"{path}: not the slices of the label map of {unmatched}; delete it and run again")
    return slices


def read_rows(
    paths: Sequence[str | Path],
    numbers: Sequence[str],
    cohorts: Collection[str] | None,
    approaches: Collection[str] | None,
) -> pd.DataFrame:
    """Tables of several approaches and cohorts in one; each has the columns of `PLACE`, and rows for labels.

    Parameters
    ----------
    paths : list of path
        The CSVs.
    numbers : list of str
        Columns in which an empty cell is NaN.
    cohorts, approaches : collection of names or None
        In the order of reports; None: in the order of the rows.

    Returns
    -------
    DataFrame
        The CSVs' columns; cohort, approach, region and label are categories in reporting order.
    """
    names = dict.fromkeys(["cohort", "approach", "case", "patient", "phase", "region", "label"], str)
    empty = dict.fromkeys(numbers, "")
    parts = [pd.read_csv(path, dtype=names, keep_default_na=False, na_values=empty) for path in paths]
    rows = pd.concat(parts, ignore_index=True)
    orders = {
        "cohort": cohorts or rows["cohort"].unique(),
        "approach": approaches or rows["approach"].unique(),
        "region": TABLE_ORDER,
        "label": LABELS,
    }
    return rows.assign(**{name: pd.Categorical(rows[name], list(order)) for name, order in orders.items()})


def _extent(labelled: np.ndarray) -> slice:
    first_to_last = np.flatnonzero(labelled)
    return slice(first_to_last[0], first_to_last[-1] + 1) if first_to_last.size else slice(0, 0)


def _grid(volume: Volume) -> dict[str, np.ndarray]:
    """What two volumes on one grid have in common, by the word for it in a message."""
    return {
        "size": np.array(volume.voxels.shape[::-1]),
        "spacing": volume.spacing_mm,
        "origin": volume.origin_mm,
        "direction": volume.direction.ravel(),
    }


def _read_label_map(path: Path, case: str) -> Volume:
    """Read a label map as uint8."""
    if not path.is_file():
        raise InputError(f"{case}: no label map {path}; delete its folder and run the workflow again")
    try:
        volume = read_volume(path)
    except InputError as fault:
        raise InputError(f"{case}: cannot read its label map: {fault}") from None
    labels = volume.voxels
    if labels.dtype == np.uint8 and labels.max() <= max(LABELS.values()):
        return volume
    unknown = sorted(set(np.unique(labels).tolist()) - {0, *LABELS.values()})
    if unknown:
        raise InputError(f"{case}: {path} holds the label values {unknown}; only 0 to {len(LABELS)} are known")
    return volume._replace(voxels=labels.astype(np.uint8))
