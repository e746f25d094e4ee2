"""Which end of a stack is the base: what the header says, checked against the labels."""

from dataclasses import dataclass

import numpy as np

from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError

APEX_TO_BASE_RAS = np.array([1.0, -1.0, 1.0]) / np.sqrt(3)
"""The base lies right, posterior and superior of the apex."""

AXIAL = 0.9999
"""A normal with a larger cosine to an axis of the scanner belongs to a header that is a bare diagonal, as ACDC's are.
Such a header says nothing about the heart."""

DECIDED = 0.2
"""A vote, from -1 to 1, counts if its absolute value is larger."""


@dataclass(frozen=True)
class Direction:
    """The order in which a patient's slices are stored.

    Attributes
    ----------
    flipped : bool
        Whether the apex comes first.
    source : str
        What decided: header or labels.
    note : str
        ``direction-disagrees`` if the labels contradict the header, which decides; ``direction-undecided`` if neither
        header nor labels tell the order, which is then kept; otherwise empty.
    """

    flipped: bool
    source: str
    note: str = ""


def header_vote(affine: np.ndarray) -> float:
    """What the header says: the cosine between the order of slices and the direction from base to apex.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel index to RAS, mm.

    Returns
    -------
    float
        From -1 (apex first) to 1 (base first); 0 for a bare diagonal, which says nothing.

    Examples
    --------
    >>> header_vote(np.diag([-1.5, -1.5, 8.0, 1.0]))
    0.0
    >>> towards_apex = np.eye(4)
    >>> towards_apex[:3, 2] = -8 * APEX_TO_BASE_RAS
    >>> round(header_vote(towards_apex), 6)
    1.0
    """
    normal = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    return 0.0 if np.abs(normal).max() > AXIAL else float(-normal @ APEX_TO_BASE_RAS)


def label_vote(label: np.ndarray) -> float:
    """What the labels say: whether the labelled areas shrink from the first slice to the last.

    The RVBP's area and the whole labelled area both shrink towards the apex. The result is minus the mean of their
    correlations with the slice index. The LV's area is not used, because it misjudges hearts whose cavity is wider
    towards the apex.

    Parameters
    ----------
    label : (x, y, z) array of int
        With the values of `cmrslices.labels.LABELS`.

    Returns
    -------
    float
        From -1 (apex first) to 1 (base first); 0 says nothing.

    Examples
    --------
    >>> label = np.zeros((4, 1, 3), int)
    >>> label[:, 0, 0], label[:2, 0, 1], label[:1, 0, 2] = 3, 3, 3  # RVBP of 4, 2 and 1 pixels
    >>> round(label_vote(label), 2), round(label_vote(label[:, :, ::-1]), 2)
    (0.98, -0.98)
    """
    rv_area = (label == LABELS["RVBP"]).sum(axis=(0, 1))
    heart_area = (label > 0).sum(axis=(0, 1))
    labelled = heart_area > 0
    return float(np.mean([_decrease(area[labelled]) for area in (rv_area, heart_area)]))


def _decrease(area: np.ndarray) -> float:
    return 0.0 if np.ptp(area) == 0 else -np.corrcoef(np.arange(len(area)), area)[0, 1]


def decide_direction(affines: list[np.ndarray], labels: list[np.ndarray]) -> Direction:
    """Decide the order of slices of one patient, for both phases: by the header, or by the labels if it says nothing.

    Parameters
    ----------
    affines : list of (4, 4) array
    labels : list of (x, y, z) array
        One per phase; the votes of the phases are averaged.

    Raises
    ------
    InputError
        The headers of ED and ES say opposite orders.
    """
    headers = [header_vote(affine) for affine in affines]
    if min(headers) < -DECIDED and max(headers) > DECIDED:
        raise InputError("the headers of ED and ES run in opposite directions; store both the same way")
    header, content = np.mean(headers), np.mean([label_vote(label) for label in labels])
    if abs(header) > DECIDED:
        disagrees = abs(content) > DECIDED and header * content < 0
        return Direction(bool(header < 0), "header", "direction-disagrees" if disagrees else "")
    if abs(content) > DECIDED:
        return Direction(bool(content < 0), "labels")
    return Direction(False, "labels", "direction-undecided")
