"""Signs of doubt in a slice: other approaches label it otherwise, or the router does not know its region."""

from collections.abc import Sequence

import numpy as np

from cmrslices.labels import LABELS, SLICE_CLASSES
from cmrslices.patients.stack_flags import Finding


def disagreement(labels: np.ndarray, others: Sequence[np.ndarray]) -> list[Finding]:
    """How little the label maps of other approaches agree with this one, slice by slice.

    Two label maps are compared by the DSC of each label that one of them has in the slice; the mean is over these
    labels, and over the other approaches. Where neither has a label, they agree.

    Parameters
    ----------
    labels : integer array, shape (slices, rows, columns)
    others : sequence of arrays of the same shape
        Of the other approaches; none of them is better than another.

    Returns
    -------
    list of Finding
        Score: 1 minus the mean DSC.

    Examples
    --------
    >>> one, other = np.zeros((2, 1, 4), np.uint8), np.zeros((2, 1, 4), np.uint8)
    >>> one[0, 0, :3], other[0, 0, 2], other[1, 0, 0] = LABELS["LVBP"], LABELS["LVBP"], LABELS["LVM"]
    >>> [(finding.slice, finding.score) for finding in disagreement(one, [other])]
    [(0, 0.5), (1, 1.0)]
    """
    if not others:
        return []
    dsc = np.mean([_slice_dsc(labels, other) for other in others], axis=0)
    who = "another approach" if len(others) == 1 else f"{len(others)} other approaches"
    return [
        Finding(number, "", float(1 - dsc[number]), f"DSC with {who}: {100 * dsc[number]:.0f} %")
        for number in np.flatnonzero(dsc < 1).tolist()
    ]


def uncertain_regions(weights: np.ndarray) -> list[Finding]:
    """How little the router prefers one region, slice by slice.

    Parameters
    ----------
    weights : array, shape (slices, regions)
        Of the entries of `SLICE_CLASSES`; each slice's sum to 1.

    Returns
    -------
    list of Finding
        Score: 1 minus the largest weight.

    Examples
    --------
    >>> uncertain_regions(np.array([[0.0, 0.25, 0.75, 0.0]]))[0][:3]
    (0, '', 0.25)
    """
    found = []
    for number, row in enumerate(weights):
        first, second = np.argsort(row)[::-1][:2]
        score = float(1 - row[first])
        if score > 0:
            reason = f"region {SLICE_CLASSES[first]} ({row[first]:.0%}) or {SLICE_CLASSES[second]} ({row[second]:.0%})"
            found.append(Finding(number, "", score, reason))
    return found


def _slice_dsc(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean DSC of each slice over the labels that either has; 1 where both are empty."""
    values = np.reshape(list(LABELS.values()), (-1, 1, 1, 1))
    first, second = one == values, other == values
    both = (first & second).sum(axis=(2, 3))
    total = first.sum(axis=(2, 3)) + second.sum(axis=(2, 3))
    dsc = np.divide(2 * both, total, out=np.zeros(both.shape), where=total > 0)
    count = (total > 0).sum(axis=0)
    return np.where(count > 0, dsc.sum(axis=0) / np.maximum(count, 1), 1.0)
