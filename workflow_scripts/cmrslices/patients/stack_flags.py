"""Signs that a label map is wrong, which the label map of one stack shows by itself: no reference is needed.

Each function looks for one sign and returns a `Finding` for every slice and label that shows it, with a score. The
larger the score, the stronger the sign. A finding becomes a flag where its score is above a limit
(`cmrslices.patients.flags`). Slices count from 0 at the base.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from cmrslices.evaluation.label_maps import labelled_box
from cmrslices.labels import LABELS

LEFT_VENTRICLE = [LABELS["LVBP"], LABELS["LVM"]]
NEIGHBOURS = np.ones((3, 3), dtype=bool)
"""Pixels that share a corner belong to one component."""


class Finding(NamedTuple):
    """One sign in one slice.

    Attributes
    ----------
    slice : int or None
        None: the sign belongs to the whole patient.
    label : str
        One of `LABELS`; empty where it is about several of them.
    score : float
        Above 0.
    reason : str
        In words.
    """

    slice: int | None
    label: str
    score: float
    reason: str


def empty_middle(labels: np.ndarray) -> list[Finding]:
    """Slices in the middle third of the stack without LVBP or LVM.

    A short-axis stack covers the left ventricle from base to apex with at most a few slices beyond either end (J.
    Schulz-Menger et al., *J. Cardiovascular Magnetic Resonance* 22, 19, 2020), so that its middle third lies in the
    ventricle.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)
        With the values of `LABELS`.

    Returns
    -------
    list of Finding
        Score: the share of the two labels that is missing, 0.5 or 1.

    Examples
    --------
    >>> labels = np.zeros((9, 1, 2), np.uint8)
    >>> labels[:4] = [LABELS["LVBP"], LABELS["LVM"]]
    >>> [(finding.slice, finding.score) for finding in empty_middle(labels)]
    [(4, 1.0), (5, 1.0)]
    """
    count = len(labels)
    found = []
    for number in range(count):
        if count <= 3 * (number + 0.5) <= 2 * count:
            missing = [name for name in ("LVBP", "LVM") if not (labels[number] == LABELS[name]).any()]
            if missing:
                reason = f"no {' and no '.join(missing)}, although the slice lies in the middle third of the stack"
                found.append(Finding(number, missing[0] if len(missing) == 1 else "", len(missing) / 2, reason))
    return found


def gaps(labels: np.ndarray) -> list[Finding]:
    """Slices without any label between slices that have one: a heart has no gap.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)

    Returns
    -------
    list of Finding
        Score: length of the gap in slices.

    Examples
    --------
    >>> labels = np.zeros((6, 1, 1), np.uint8)
    >>> labels[[1, 4]] = LABELS["LVM"]
    >>> [(finding.slice, finding.score) for finding in gaps(labels)]
    [(2, 2.0), (3, 2.0)]
    """
    return [
        Finding(number, "", float(last - first), f"no label, but slices {first - 1} and {last} have some")
        for first, last in _holes(np.logical_or.reduce(labels, axis=(1, 2)))
        for number in range(first, last)
    ]


def missing_labels(labels: np.ndarray) -> list[Finding]:
    """Slices that lack one label, but not all, between slices that have it: both ventricles and the wall are connected.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)

    Returns
    -------
    list of Finding
        Score: number of neighbouring slices that lack the label.

    Examples
    --------
    >>> labels = np.full((3, 1, 2), LABELS["LVM"], np.uint8)
    >>> labels[[0, 2], 0, 0] = LABELS["LVBP"]
    >>> [(finding.slice, finding.label, finding.score) for finding in missing_labels(labels)]
    [(1, 'LVBP', 1.0)]
    """
    labelled = np.logical_or.reduce(labels, axis=(1, 2))
    return [
        Finding(number, name, float(last - first), f"no {name}, but slices {first - 1} and {last} have some")
        for name, value in LABELS.items()
        for first, last in _holes((labels == value).any(axis=(1, 2)))
        for number in range(first, last)
        if labelled[number]
    ]


def cut_off_apex(labels: np.ndarray) -> list[Finding]:
    """The last slice, if the left ventricle is still large there: the stack, or the label map, ends above the apex.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)

    Returns
    -------
    list of Finding
        Score: area of LVBP and LVM in the last slice, as a share of the largest area in any slice.

    Examples
    --------
    >>> labels = np.zeros((2, 1, 4), np.uint8)
    >>> labels[0], labels[1, 0, :3] = LABELS["LVM"], LABELS["LVM"]
    >>> [(finding.slice, finding.score) for finding in cut_off_apex(labels)]
    [(1, 0.75)]
    """
    areas = np.isin(labels, LEFT_VENTRICLE).sum(axis=(1, 2))
    if not areas[-1]:
        return []
    share = float(areas[-1] / areas.max())
    reason = f"last slice of the stack, and the left ventricle still has {share:.0%} of its largest area"
    return [Finding(len(labels) - 1, "", share, reason)]


def at_border(labels: np.ndarray, spacing_mm: np.ndarray) -> list[Finding]:
    """Labels that touch the border of the image: the heart lies in its middle, so something else was labelled.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)
    spacing_mm : array, shape (3,)
        Along x (columns), y (rows) and z (slices).

    Returns
    -------
    list of Finding
        Score: length in mm of the border that the label touches.

    Examples
    --------
    >>> labels = np.zeros((1, 5, 5), np.uint8)
    >>> labels[0, 0, 1:3] = LABELS["RVBP"]
    >>> [(finding.slice, finding.label, finding.score) for finding in at_border(labels, np.array([1.5, 2.0, 8.0]))]
    [(0, 'RVBP', 3.0)]
    """
    width_mm, height_mm = float(spacing_mm[0]), float(spacing_mm[1])
    found = []
    for name, value in LABELS.items():
        mask = labels == value
        lengths_mm = mask[:, [0, -1]].sum(axis=(1, 2)) * width_mm + mask[:, :, [0, -1]].sum(axis=(1, 2)) * height_mm
        for number in np.flatnonzero(lengths_mm).tolist():
            length_mm = float(lengths_mm[number])
            reason = f"{name} touches the border of the image over {length_mm:.0f} mm"
            found.append(Finding(number, name, length_mm, reason))
    return found


def components(labels: np.ndarray, spacing_mm: np.ndarray) -> list[Finding]:
    """Labels in several pieces: in a short-axis slice, each ventricle is one piece.

    At the base, the wall is open towards the outflow tract and may be in pieces that only the cavity joins. So LVM is
    in pieces only if some of it is joined neither by LVM nor by LVBP.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)
    spacing_mm : array, shape (3,)

    Returns
    -------
    list of Finding
        Score: area in mm² of the label outside the largest piece.

    Examples
    --------
    >>> labels = np.zeros((1, 1, 7), np.uint8)
    >>> labels[0, 0, [0, 1, 2, 5]] = LABELS["RVBP"]
    >>> [(finding.slice, finding.label, finding.score) for finding in components(labels, np.array([2.0, 1.0, 8.0]))]
    [(0, 'RVBP', 2.0)]
    """
    pixel_mm2 = float(spacing_mm[0] * spacing_mm[1])
    joined = {**{name: [value] for name, value in LABELS.items()}, "LVM": LEFT_VENTRICLE}
    found = []
    for number, whole in enumerate(labels):
        plane = whole[labelled_box(whole)]  # finding pieces takes as long as the plane is large
        for name, values in joined.items():
            pieces, count = ndimage.label(np.isin(plane, values), NEIGHBOURS)
            largest = 1 + np.bincount(pieces.ravel())[1:].argmax() if count else 0
            area_mm2 = float(np.count_nonzero((plane == LABELS[name]) & (pieces != largest))) * pixel_mm2
            if area_mm2:
                reason = f"{name} is in several pieces; {area_mm2:.0f} mm² lie outside the largest"
                found.append(Finding(number, name, area_mm2, reason))
    return found


def open_cavity(labels: np.ndarray, spacing_mm: np.ndarray) -> list[Finding]:
    """LVBP whose outline is not all myocardium.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)
    spacing_mm : array, shape (3,)

    Returns
    -------
    list of Finding
        Score: share of the length of LVBP's outline at which the next pixel is not LVM.

    Examples
    --------
    Two pixels of LVBP have six edges; LVM lies at the left one only.

    >>> labels = np.zeros((1, 3, 4), np.uint8)
    >>> labels[0, 1, :3] = [LABELS["LVM"], LABELS["LVBP"], LABELS["LVBP"]]
    >>> [(finding.slice, round(finding.score, 2)) for finding in open_cavity(labels, np.array([1.0, 1.0, 8.0]))]
    [(0, 0.83)]
    """
    padded = np.pad(labels, [(0, 0), (1, 1), (1, 1)])
    cavity = padded == LABELS["LVBP"]
    outline_mm, open_mm = np.zeros(len(labels)), np.zeros(len(labels))
    # An edge between two rows is as long as a pixel is wide, and the other way round.
    for axis, length_mm in ((1, float(spacing_mm[0])), (2, float(spacing_mm[1]))):
        for step in (-1, 1):
            neighbour = np.roll(padded, step, axis=axis)
            edges = cavity & (neighbour != LABELS["LVBP"])
            outline_mm += length_mm * edges.sum(axis=(1, 2))
            open_mm += length_mm * (edges & (neighbour != LABELS["LVM"])).sum(axis=(1, 2))
    return [
        Finding(number, "LVBP", share, f"{share:.0%} of the outline of LVBP is not at LVM")
        for number in np.flatnonzero(open_mm).tolist()
        for share in [float(open_mm[number] / outline_mm[number])]
    ]


def _holes(present: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last slice of each run of slices without something between slices that have it."""
    having = np.flatnonzero(present)
    return [(one + 1, other) for one, other in pairwise(having.tolist()) if other - one > 1]
