"""Where the images of a study lie: which ones are parallel, how their slices are spaced, and the affine of a stack."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import polar

from cmrslices.cohorts.convert.cvi42.headers import Frame
from cmrslices.cohorts.convert.orientation import APEX_TO_BASE_RAS
from cmrslices.runtime.errors import InputError

RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0])

SAME_POSITION_MM = 1.0
"""Images of one slice lie this close along the normal. Headers round to less; slices are about 5 mm apart or more."""

SAME_ORIENTATION_DEGREES = 1.0
SAME_SPACING = 1e-3
"""Relative difference of pixel spacings that count as the same: a quarter of a pixel over 256 pixels."""

EVEN = 0.1
"""A slice distance may differ from the usual one by this share of it without a note."""

ON_GRID = 0.25
"""A distance may differ from a multiple of the usual one by this share of it, and still counts as that multiple."""


def group_by_geometry(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Group images that share orientation, pixel spacing and matrix."""
    groups: list[list[Frame]] = []
    known: dict[tuple, list[Frame]] = {}
    for frame in frames:
        key = (frame.orientation, frame.spacing_mm, frame.matrix)
        if key not in known:
            known[key] = next((group for group in groups if same_geometry(group[0], frame)), [])
            if not known[key]:
                groups.append(known[key])
        known[key].append(frame)
    return groups


def same_geometry(first: Frame, second: Frame) -> bool:
    """Whether two images share orientation, pixel spacing and matrix; their positions do not matter."""
    return (
        first.matrix == second.matrix
        and _same_spacing(first, second)
        and _turn_degrees(first, second) <= SAME_ORIENTATION_DEGREES
    )


def _same_spacing(first: Frame, second: Frame) -> bool:
    return np.allclose(first.spacing_mm, second.spacing_mm, rtol=SAME_SPACING, atol=0)


def _turn_degrees(first: Frame, second: Frame) -> float:
    """Angle between the row directions of two images, or between their column directions: the larger of the two."""
    axes = (np.reshape(frame.orientation, (2, 3)) for frame in (first, second))
    cosines = np.prod(list(axes), axis=0).sum(axis=1)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())


def describe_difference(first: Frame, second: Frame) -> str:
    """Say in which way the geometries of two images differ: in matrix, pixel spacing or orientation."""
    if first.matrix != second.matrix:
        return f"{first.matrix[0]} x {first.matrix[1]} against {second.matrix[0]} x {second.matrix[1]} pixels"
    if not _same_spacing(first, second):
        spacings = (f"{frame.spacing_mm[0]:.5g} x {frame.spacing_mm[1]:.5g}" for frame in (first, second))
        return f"{' against '.join(spacings)} mm pixels"
    return f"turned by {_turn_degrees(first, second):.3g} degrees"


def group_by_position(frames: Sequence[Frame]) -> list[tuple[float, list[Frame]]]:
    """Group images of one geometry by their position along the normal.

    Returns
    -------
    list of (float, list of Frame)
        From base to apex: the mean position along the normal, in mm, and the images that lie there.
    """
    normal = _towards_apex(*np.reshape(frames[0].orientation, (2, 3)))
    positions_mm = np.array([frame.position_mm for frame in frames]) @ normal
    order = np.argsort(positions_mm, kind="stable")
    starts = np.flatnonzero(np.diff(positions_mm[order]) > SAME_POSITION_MM) + 1
    return [
        (float(positions_mm[indices].mean()), [frames[index] for index in indices])
        for indices in np.split(order, starts)
    ]


def offset_along_normal_mm(frame: Frame, reference: Frame) -> float | None:
    """Distance of an image from another one along their normal, positive towards the apex; None if not parallel."""
    normal = _towards_apex(*np.reshape(reference.orientation, (2, 3)))
    cosine = abs(normal @ _towards_apex(*np.reshape(frame.orientation, (2, 3))))
    if cosine < np.cos(np.radians(SAME_ORIENTATION_DEGREES)):
        return None
    return float(np.subtract(frame.position_mm, reference.position_mm) @ normal)


def _towards_apex(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Normal of a short-axis image with these directions (LPS), from base to apex."""
    normal = np.cross(row, column)
    return -normal if normal @ (RAS_OF_LPS @ APEX_TO_BASE_RAS) > 0 else normal


def is_on_grid(position_mm: float, grid_mm: Sequence[float]) -> bool:
    """Whether a position lies on the grid of some slices: at one of them, or whole steps away from the nearest one.

    Parameters
    ----------
    position_mm : float
        Along the normal.
    grid_mm : sequence of float
        Positions of at least two slices, ascending.
    """
    distance_mm = min(abs(position_mm - other) for other in grid_mm)
    return distance_mm == 0 or _missing_slices(distance_mm, _usual_gap_mm(grid_mm)) is not None


def _usual_gap_mm(positions_mm: Sequence[float]) -> float:
    """Median distance of neighbours; of an even number the smaller one, as missing slices make distances larger."""
    gaps_mm = sorted(np.diff(positions_mm))
    return float(gaps_mm[(len(gaps_mm) - 1) // 2])


def _missing_slices(gap_mm: float, usual_mm: float) -> int | None:
    """Number of slices that are missing in a gap; None if the gap is no multiple of the usual one."""
    steps = round(gap_mm / usual_mm)
    return steps - 1 if steps and abs(gap_mm / usual_mm - steps) <= ON_GRID else None


def lay_out(slices: Sequence[Frame]) -> tuple[np.ndarray, list[str]]:
    """Lay parallel slices out in space.

    Parameters
    ----------
    slices : sequence of Frame
        One image of each slice, from base to apex.

    Returns
    -------
    affine : (4, 4) array
        Index of a (column, row, slice) array to RAS, mm; orthonormal directions. In plane, the median of the slices
        counts; along the normal, the steps are even.
    notes : list of str
        ``spacing-uneven``, and ``in-plane-offset-slice-K-by-D-mm`` for a slice that lies off by more than a pixel.

    Raises
    ------
    InputError
        A slice is missing between two others.
    """
    row, column = np.mean([frame.orientation for frame in slices], axis=0).reshape(2, 3)
    directions, _ = polar(np.column_stack([row, column, _towards_apex(row, column)]))
    # First voxel of each slice: its place along the row and the column, and its position along the normal.
    origins_mm = np.array([frame.position_mm for frame in slices]) @ directions
    notes = _check_gaps(slices, origins_mm[:, 2])
    row_spacing_mm, column_spacing_mm = slices[0].spacing_mm
    centre_mm = np.median(origins_mm[:, :2], axis=0)
    offsets_mm = np.linalg.norm(origins_mm[:, :2] - centre_mm, axis=1)
    for index, offset_mm in enumerate(offsets_mm):
        if offset_mm > min(row_spacing_mm, column_spacing_mm):
            notes.append(f"in-plane-offset-slice-{index}-by-{offset_mm:.1f}-mm")
    step_mm = (origins_mm[-1, 2] - origins_mm[0, 2]) / (len(slices) - 1)
    affine = np.eye(4)
    affine[:3, :3] = directions * (column_spacing_mm, row_spacing_mm, step_mm)
    affine[:3, 3] = directions @ (*centre_mm, origins_mm[0, 2])
    affine[:3] = RAS_OF_LPS @ affine[:3]
    return affine, notes


def _check_gaps(slices: Sequence[Frame], positions_mm: np.ndarray) -> list[str]:
    usual_mm = _usual_gap_mm(list(positions_mm))
    gaps_mm = np.diff(positions_mm)
    for index, gap_mm in enumerate(gaps_mm):
        missing = _missing_slices(gap_mm, usual_mm)
        if missing:
            noun = "slice" if missing == 1 else "slices"
            raise InputError(
                f"the study: {missing} {noun} missing between slice indices {index} ({slices[index].file}) "
                f"and {index + 1} ({slices[index + 1].file}): {gap_mm:.3g} mm apart, the others {usual_mm:.3g} mm; "
                "export all slices of the short-axis cine"
            )
    return ["spacing-uneven"] if np.any(np.abs(gaps_mm / usual_mm - 1) > EVEN) else []
