"""Boundaries: how far apart, in mm, the contours of prediction and reference lie, for every slice and label.

The definition is that of DeepMind's package surface-distance, version 0.1, for two dimensions
(https://github.com/google-deepmind/surface-distance). Tools that define contours in another way give distances that
differ by millimetres. So the definition belongs to every number.
"""

import math
from collections.abc import Collection, Sequence
from functools import partial
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

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

BOTH, MISSED, INVENTED = "both", "missed", "invented"
FOUND = (BOTH, MISSED, INVENTED)
"""Which label map carries a label in a slice: both, only the reference, or only the prediction."""

DISTANCES = ["hd_mm", "hd95_mm", "assd_mm"]
COLUMNS = [*PLACE, "label", "found", *DISTANCES]
PERCENT = 95
NONE_INSIDE, ALL_INSIDE = 0b0000, 0b1111
PAIRS = 2**20
"""Pairs of corners that are compared at once: 8 MiB."""


class Distances(NamedTuple):
    """Distances of two contours in mm; NaN where one of the masks has no pixel.

    Attributes
    ----------
    hd_mm : float
        Hausdorff distance: the largest distance of an element of one contour from the other contour.
    hd95_mm : float
        The same at 95 %: for each contour, the distance that 95 % of its length does not exceed; the larger of the two.
    assd_mm : float
        Average symmetric surface distance: the mean distance over both contours, by length.
    """

    hd_mm: float
    hd95_mm: float
    assd_mm: float


class Contour(NamedTuple):
    """The elements of the contour of a mask in one slice; a mask without any pixel has none.

    Attributes
    ----------
    corners_mm : array, shape (elements, 2)
        Where each element lies, down the rows and along the columns. It lies at a corner of pixels; the first pixel of
        the slice has its upper left corner at (0, 0).
    lengths_mm : array, shape (elements,)
        Length of the contour at each element.
    """

    corners_mm: np.ndarray
    lengths_mm: np.ndarray


class Boundary(NamedTuple):
    """What was measured of one label in one slice.

    Attributes
    ----------
    slice : int
        Index of the slice.
    label : str
    found : str
        Which label map carries the label: ``both``, ``missed`` (only the reference) or ``invented`` (only the
        prediction).
    distances : Distances
        NaN unless both carry it.
    """

    slice: int
    label: str
    found: str
    distances: Distances


def contours(masks: np.ndarray, spacing_mm: Sequence[float]) -> list[Contour]:
    """Contours of a mask, slice by slice.

    An element of a contour lies where the 2 x 2 pixels around a corner are partly inside the mask and partly outside.
    What lies beyond the image is outside. The length of an element depends on which of the four pixels are inside: it
    is the side of a pixel, half of a pixel's diagonal, or twice this half.
    (surface-distance: ``create_table_neighbour_code_to_contour_length``)

    Parameters
    ----------
    masks : bool array, shape (slices, rows, columns)
    spacing_mm : (float, float)
        Distance of the pixels' centres between rows and between columns.

    Returns
    -------
    list of Contour
        One for each slice.

    Examples
    --------
    The contour of a single pixel cuts off its four corners: each element is half of a diagonal of 5 mm.

    >>> (contour,) = contours(np.array([[[True]]]), spacing_mm=(3, 4))
    >>> contour.corners_mm.tolist(), contour.lengths_mm.tolist()
    ([[0.0, 0.0], [0.0, 4.0], [3.0, 0.0], [3.0, 4.0]], [2.5, 2.5, 2.5, 2.5])
    """
    rows, columns = labelled_box(np.logical_or.reduce(masks))
    codes = _neighbour_codes(masks[:, rows, columns])
    on_contour = np.flatnonzero((codes > NONE_INSIDE) & (codes < ALL_INSIDE))
    number, row, column = np.unravel_index(on_contour, codes.shape)
    corners_mm = np.column_stack([row + rows.start, column + columns.start]) * np.asarray(spacing_mm, dtype=float)
    lengths_mm = _lengths_by_code(spacing_mm)[codes.ravel()[on_contour]]
    bounds = np.searchsorted(number, np.arange(len(masks) + 1))
    return [Contour(corners_mm[first:last], lengths_mm[first:last]) for first, last in pairwise(bounds.tolist())]


def contour_distances(prediction: Contour, reference: Contour) -> Distances:
    """HD, HD95 and ASSD of two contours of one slice.

    The distance of an element is that of its corner from the nearest corner on the other contour. HD and HD95 are
    surface-distance's ``compute_robust_hausdorff`` at 100 and 95 %. The ASSD is the mean distance over both contours,
    each element weighted by its length. (surface-distance's ``compute_average_surface_distance`` gives the mean over
    each contour instead: two numbers.)

    Parameters
    ----------
    prediction, reference : Contour

    Returns
    -------
    Distances
        NaN where a contour has no element: nothing has a distance from a mask without any pixel.

    Examples
    --------
    A square of 4 x 4 pixels, and the same square moved by one pixel of 2 mm: half of the length of both contours lies
    on the other contour, and the other half 2 mm from it.

    >>> square = np.ones((1, 4, 4), dtype=bool)
    >>> (reference,) = contours(np.pad(square, ((0, 0), (0, 0), (0, 1))), spacing_mm=(2, 2))
    >>> (prediction,) = contours(np.pad(square, ((0, 0), (0, 0), (1, 0))), spacing_mm=(2, 2))
    >>> contour_distances(prediction, reference)
    Distances(hd_mm=2.0, hd95_mm=2.0, assd_mm=1.0)
    """
    if not (len(prediction.corners_mm) and len(reference.corners_mm)):
        return Distances(math.nan, math.nan, math.nan)
    to_reference, to_prediction = _nearest_mm(prediction.corners_mm, reference.corners_mm)
    sides = (to_reference, prediction.lengths_mm), (to_prediction, reference.lengths_mm)
    length_mm = prediction.lengths_mm.sum() + reference.lengths_mm.sum()
    return Distances(
        hd_mm=float(max(to_reference.max(), to_prediction.max())),
        hd95_mm=float(max(_percentile(*side) for side in sides)),
        assd_mm=float(sum(distances @ lengths_mm for distances, lengths_mm in sides) / length_mm),
    )


def measure_slices(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> list[Boundary]:
    """Boundary distances of every slice and label of one case.

    Parameters
    ----------
    prediction, reference : integer arrays, shape (slices, rows, columns)
        Label maps with values 0 to 3 (`cmrslices.labels.LABELS`).
    spacing_mm : (float, float)
        Distance of the pixels' centres between rows and between columns.

    Returns
    -------
    list of Boundary
        By slice and label; only those that either label map carries.

    Examples
    --------
    >>> reference, prediction = np.array([[[1, 1, 2, 0]]]), np.array([[[1, 1, 0, 3]]])
    >>> for boundary in measure_slices(prediction, reference, spacing_mm=(1, 1)):
    ...     print(boundary.label, boundary.found, boundary.distances.hd_mm)
    LVBP both 0.0
    LVM missed nan
    RVBP invented nan
    """
    box = (slice(None), *labelled_box(prediction.max(axis=0) | reference.max(axis=0)))
    both = np.concatenate([prediction[box], reference[box]])
    count, found = len(prediction), []
    for label, value in LABELS.items():
        of_slices = contours(both == value, spacing_mm)
        for number, (predicted, expected) in enumerate(zip(of_slices[:count], of_slices[count:], strict=True)):
            if len(predicted.corners_mm) or len(expected.corners_mm):
                distances = contour_distances(predicted, expected)
                found.append(Boundary(number, label, _found(predicted, expected), distances))
    return sorted(found, key=attrgetter("slice"))


def measure_cohort(
    predictions: str | Path,
    references: str | Path,
    slices: str | Path,
    splits: str | Path,
    boundaries: str | Path,
    cohort: str,
    approach: str,
    threads: int,
) -> None:
    """Measure the test cases of a cohort, and write one row per case, slice and label.

    A label that neither the prediction nor the reference carries in a slice has no row.

    Parameters
    ----------
    predictions, references : path
        Folders with {case}.nii.gz of the approach and of the cohort.
    slices, splits : path
        The cohort's slices.csv and splits.csv.
    boundaries : path
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
    measure = partial(_measure_case, predictions=Path(predictions), references=Path(references))
    found, counts = zip(*map_progress(measure, cases, threads, unit="case"), strict=True)
    places = places_of_slices(slices, cases, list(counts)).assign(cohort=cohort, approach=approach)
    rows = [
        (case, boundary.slice, boundary.label, boundary.found, *boundary.distances)
        for case, boundaries_of_case in zip(cases, found, strict=True)
        for boundary in boundaries_of_case
    ]
    table = pd.DataFrame(rows, columns=["case", "slice", "label", "found", *DISTANCES]).astype({"slice": int})
    table.merge(places, on=["case", "slice"], validate="many_to_one")[COLUMNS].to_csv(boundaries, index=False)
    print(f"{approach}, {cohort}: {len(cases)} test cases, {len(table)} boundaries measured")


def read_boundaries(paths: Sequence[str | Path], cohorts: Collection[str], approaches: Collection[str]) -> pd.DataFrame:
    """Boundary distances of several approaches and cohorts in one table.

    Parameters
    ----------
    paths : list of path
        CSVs made by `measure_cohort`.
    cohorts, approaches : collection of names
        Their order is that of the rows in every table made from the distances.

    Returns
    -------
    DataFrame
        The CSVs' columns; cohort, approach, region and label are categories in reporting order.
    """
    rows = read_rows(paths, ["position", *DISTANCES], cohorts, approaches)
    # A file in which nothing was found by both has no number from which pandas could tell the type.
    return rows.astype(dict.fromkeys(DISTANCES, float))


def _measure_case(case: str, predictions: Path, references: Path) -> tuple[list[Boundary], int]:
    """What `measure_slices` finds in a case, and the number of its slices."""
    prediction, reference = read_label_maps(case, predictions, references)
    between_columns_mm, between_rows_mm, _ = reference.spacing_mm
    found = measure_slices(prediction.voxels, reference.voxels, (between_rows_mm, between_columns_mm))
    return found, len(reference.voxels)


def _found(predicted: Contour, expected: Contour) -> str:
    if not len(predicted.corners_mm):
        return MISSED
    return BOTH if len(expected.corners_mm) else INVENTED


def _neighbour_codes(masks: np.ndarray) -> np.ndarray:
    """Code of the 2 x 2 pixels around every corner: the sum over those inside of 8, 4 (upper), 2, 1 (lower row).

    Masks have the shape (slices, rows, columns), codes (slices, rows + 1, columns + 1).
    """
    slices, rows, columns = masks.shape
    inside = np.zeros((slices, rows + 2, columns + 2), dtype=np.uint8)
    inside[:, 1:-1, 1:-1] = masks
    across = 2 * inside[:, :, :-1] + inside[:, :, 1:]
    return 4 * across[:, :-1] + across[:, 1:]


def _lengths_by_code(spacing_mm: Sequence[float]) -> np.ndarray:
    """Length in mm of the contour at a corner, by the code of its pixels."""
    between_rows_mm, between_columns_mm = spacing_mm
    half_diagonal_mm = 0.5 * math.sqrt(between_rows_mm**2 + between_columns_mm**2)
    lengths_mm = np.full(16, half_diagonal_mm)
    lengths_mm[[0b0011, 0b1100]] = between_columns_mm
    lengths_mm[[0b0101, 0b1010]] = between_rows_mm
    lengths_mm[[0b0110, 0b1001]] = 2 * half_diagonal_mm
    lengths_mm[[NONE_INSIDE, ALL_INSIDE]] = 0
    return lengths_mm


def _nearest_mm(first_mm: np.ndarray, second_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each corner of a contour from the nearest corner of the other, both ways.

    All corners are compared with all. For the contours of a heart, this takes half the time of two distance transforms.
    """
    of_first, of_second = np.empty(len(first_mm)), np.full(len(second_mm), np.inf)
    # In parts: the noise that an untrained network predicts has more pairs of corners than the memory holds.
    size = 1 + PAIRS // len(second_mm)
    for start in range(0, len(first_mm), size):
        part = slice(start, start + size)
        squares = cdist(first_mm[part], second_mm, "sqeuclidean")
        squares.min(axis=1, out=of_first[part])
        np.minimum(of_second, squares.min(axis=0), out=of_second)
    return np.sqrt(of_first), np.sqrt(of_second)


def _percentile(distances: np.ndarray, lengths_mm: np.ndarray) -> float:
    """The smallest distance that `PERCENT` of the contour's length does not exceed."""
    order = distances.argsort()
    share = lengths_mm[order].cumsum() / lengths_mm.sum()
    return distances[order[min(share.searchsorted(PERCENT / 100), len(order) - 1)]]
