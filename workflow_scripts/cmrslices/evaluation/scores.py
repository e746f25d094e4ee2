"""Scores: the DSC and the areas of every slice and label, case by case."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.evaluation.label_maps import (
    PLACE,
    labelled_box,
    places_of_slices,
    read_label_maps,
    read_rows,
    tested_cases,
)
from cmrslices.labels import LABELS
from cmrslices.runtime.parallel import map_progress

COLUMNS = [*PLACE, "label", "reference_mm2", "predicted_mm2", "dsc"]


def count_pixels(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Pixels of every slice and label of one case, inside the box that holds all its labels.

    Parameters
    ----------
    prediction, reference : integer arrays, shape (slices, rows, columns)
        Label maps with values 0 to 3 (`cmrslices.labels.LABELS`).

    Returns
    -------
    int array, shape (slices, labels, 3)
        Pixels in the reference, in the prediction and in both.

    Examples
    --------
    >>> reference, prediction = np.array([[[1, 1, 2, 0]]]), np.array([[[1, 2, 2, 3]]])
    >>> count_pixels(prediction, reference).tolist()
    [[[2, 1, 1], [1, 2, 1], [0, 1, 0]]]
    """
    labelled = reference.max(axis=0) | prediction.max(axis=0)
    box = (slice(None), *labelled_box(labelled))
    values = np.reshape(list(LABELS.values()), (-1, 1, 1, 1)).astype(reference.dtype)
    # Comparing and counting are several times faster on contiguous arrays.
    in_reference, in_prediction = (np.ascontiguousarray(labels[box]) == values for labels in (reference, prediction))
    pixels = [
        [np.count_nonzero(mask) for of_label in masks for mask in of_label]
        for masks in (in_reference, in_prediction, in_reference & in_prediction)
    ]
    return np.reshape(pixels, (3, len(LABELS), len(reference))).T


def score_slices(pixels: np.ndarray, pixel_area_mm2: np.ndarray) -> pd.DataFrame:
    """Areas and DSC of every slice and label.

    Parameters
    ----------
    pixels : int array, shape (slices, labels, 3)
        As `count_pixels` makes it, of any number of cases.
    pixel_area_mm2 : array, shape (slices,)

    Returns
    -------
    DataFrame
        label, reference_mm2, predicted_mm2, dsc; a row per slice and label. The DSC is 2|A∩B| / (|A| + |B|), from
        0 to 1; it is NaN where the reference does not carry the label, whatever is predicted there.

    Examples
    --------
    One slice of 2 mm² pixels. LVBP: 6 pixels in the reference, 4 in the prediction, 4 in both, so that the DSC is
    2 * 4 / (6 + 4). LVM: nothing of it is found. RVBP: the reference does not carry it.

    >>> pixels = np.array([[[6, 4, 4], [5, 0, 0], [0, 3, 0]]])
    >>> score_slices(pixels, pixel_area_mm2=np.array([2.0]))
      label  reference_mm2  predicted_mm2  dsc
    0  LVBP           12.0            8.0  0.8
    1   LVM           10.0            0.0  0.0
    2  RVBP            0.0            6.0  NaN
    """
    in_reference, in_prediction, in_both = np.moveaxis(pixels, 2, 0)
    dsc = np.full(in_both.shape, np.nan)
    np.divide(2 * in_both, in_reference + in_prediction, out=dsc, where=in_reference > 0)
    area_mm2 = np.asarray(pixel_area_mm2)[:, None]
    return pd.DataFrame(
        {
            "label": np.tile(list(LABELS), len(pixels)),
            "reference_mm2": (in_reference * area_mm2).ravel(),
            "predicted_mm2": (in_prediction * area_mm2).ravel(),
            "dsc": dsc.ravel(),
        }
    )


def score_cohort(
    predictions: str | Path,
    references: str | Path,
    slices: str | Path,
    splits: str | Path,
    scores: str | Path,
    cohort: str,
    approach: str,
    threads: int,
) -> None:
    """Score the test cases of a cohort and write one row per case, slice and label.

    Parameters
    ----------
    predictions, references : path
        Folders with {case}.nii.gz of the approach and of the cohort.
    slices, splits : path
        The cohort's slices.csv and splits.csv.
    scores : path
        The CSV to write.
    cohort, approach : str
        Names to write in it.
    threads : int
        Processes; each holds one case at a time.

    Raises
    ------
    InputError
        When there is no test case, a label map is missing or unreadable, prediction and reference differ
        in geometry, or slices.csv does not have the slices of a case.
    """
    cases = tested_cases(splits)
    count = partial(_count_case, predictions=Path(predictions), references=Path(references))
    pixels, areas_mm2 = zip(*map_progress(count, cases, threads, unit="case"), strict=True)
    counts = [len(part) for part in pixels]
    places = places_of_slices(slices, cases, counts).assign(cohort=cohort, approach=approach)
    result = score_slices(np.concatenate(pixels), np.repeat(areas_mm2, counts))
    for name in PLACE:
        result[name] = np.repeat(places[name].to_numpy(), len(LABELS))
    result[COLUMNS].to_csv(scores, index=False)
    print(f"{approach}, {cohort}: {len(cases)} test cases, {len(places)} slices scored")


def read_scores(
    paths: Sequence[str | Path], cohorts: Collection[str] | None = None, approaches: Collection[str] | None = None
) -> pd.DataFrame:
    """Scores of several approaches and cohorts in one table.

    Parameters
    ----------
    paths : list of path
        CSVs made by `score_cohort`.
    cohorts, approaches : collection of names, optional
        Their order is that of the rows in every table made from the scores.

    Returns
    -------
    DataFrame
        The CSVs' columns; cohort, approach, region and label are categories in reporting order.
    """
    return read_rows(paths, ["position", "dsc"], cohorts, approaches)


def _count_case(case: str, predictions: Path, references: Path) -> tuple[np.ndarray, float]:
    """Pixels as `count_pixels` counts them, and the area of one in mm²."""
    prediction, reference = read_label_maps(case, predictions, references)
    return count_pixels(prediction.voxels, reference.voxels), float(np.prod(reference.spacing_mm[:2]))
