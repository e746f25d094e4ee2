"""Whether label maps fit their references much better in another way: mirrored, shifted, or with other label values.

Such a label map was exported wrongly, and its scores would say nothing about the segmenter. A segmenter that is merely
bad, or finds nothing, fits no better in another way.
"""

from collections.abc import Callable, Mapping
from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from cmrslices.labels import LABELS

MUCH = 0.3
"""Gain of the DSC, from 0 to 1, by which a single case fits much better in another way."""

CONSISTENT = 0.2
"""Gain that is enough where nearly all cases of a cohort have it in the same way."""

FITS = 0.7
"""A case fits in another way if its DSC then reaches this."""

MOST = 0.8
"""Share of the cases that are nearly all."""

FAR_PX = 3
"""A label map is shifted if it is that many pixels off in the plane, or a slice. Less may be a segmenter's error."""

SHIFT = "shifted"


class Fit(NamedTuple):
    """How a label map fits its reference.

    Attributes
    ----------
    given : float
        DSC of all labels together, from 0 to 1: of the label map as it is.
    otherwise : dict of str to float
        Another way, in words, to the DSC that the label map then has; empty where no other way can count,
        because the DSC is high, or label map and reference differ too much in size.
    shift_px : tuple of int
        Voxels along x, y and z from the reference to the label map, of the way `SHIFT`.
    """

    given: float
    otherwise: dict[str, float]
    shift_px: tuple[int, int, int]


def measure_fit(prediction: np.ndarray, reference: np.ndarray) -> Fit | None:
    """Measure how a label map fits its reference as it is, and in other ways.

    Parameters
    ----------
    prediction, reference : (x, y, z) array of int
        With the values of `cmrslices.labels.LABELS`.

    Returns
    -------
    Fit or None
        None where the prediction is empty.

    Examples
    --------
    >>> reference = np.zeros((8, 4, 2), int)
    >>> reference[1:3, 1:3], reference[3, 1:3] = 1, 2
    >>> fit = measure_fit(reference[::-1], reference)
    >>> fit.given, fit.otherwise["mirrored along x"]
    (0.0, 1.0)
    """
    places = np.argwhere(prediction)
    if not len(places):
        return None
    values = prediction[tuple(places.T)]
    labelled = int(np.count_nonzero(reference))
    total = len(places) + labelled

    def dsc(at: np.ndarray, named: np.ndarray = values) -> float:
        inside = ((at >= 0) & (at < reference.shape)).all(axis=1)
        hit = reference[tuple(at[inside].T)] == named[inside]
        return float(2 * np.count_nonzero(hit) / total)

    given = dsc(places)
    largest = 2 * min(len(places), labelled) / total
    if given > largest - CONSISTENT or largest < FITS:  # no other way can count, and the many places need no look
        return Fit(given, {}, (0, 0, 0))
    otherwise = {words: dsc(at) for words, at in _mirrored(places, reference.shape)}
    carried = set(np.unique(values).tolist())
    otherwise |= {words: dsc(places, order[values]) for words, order in _exchanged_labels(carried)}
    shift = _shift(places, reference, dsc)
    if max(abs(shift[0]), abs(shift[1])) >= FAR_PX or shift[2]:
        otherwise[SHIFT] = dsc(places - shift)
    return Fit(given, otherwise, shift)


def _mirrored(places: np.ndarray, shape: tuple[int, ...]) -> list[tuple[str, np.ndarray]]:
    ways = []
    turns = (False, True) if shape[0] == shape[1] else (False,)
    for transposed, *mirrored in product(turns, (False, True), (False, True), (False, True)):
        words = ["x and y exchanged"] * transposed
        words += [f"mirrored along {axis}" for axis, is_so in zip("xy", mirrored, strict=False) if is_so]
        words += ["with its slices reversed"] * mirrored[2]
        at = places[:, [1, 0, 2]] if transposed else places
        if words:
            ways.append((" and ".join(words), np.where(mirrored, np.array(shape) - 1 - at, at)))
    return ways


def _exchanged_labels(carried: set[int]) -> list[tuple[str, np.ndarray]]:
    """List the exchanges of labels that the label map carries; one that it lacks is no sign of an exchange."""
    ways = []
    for order in permutations(LABELS):
        exchanged = {old: new for old, new in zip(LABELS, order, strict=True) if old != new}
        if exchanged and {LABELS[name] for name in exchanged} <= carried:
            roles = ", ".join(f"its {old} as {new}" for old, new in exchanged.items())
            ways.append((f"with {roles}", np.array([0, *(LABELS[name] for name in order)])))
    return ways


def _shift(places: np.ndarray, reference: np.ndarray, dsc: Callable[[np.ndarray], float]) -> tuple[int, int, int]:
    """Find the shift of the centre, and of its neighbours, with which the label map fits best."""
    if not reference.any():
        return (0, 0, 0)
    centre = np.rint(places.mean(axis=0) - np.argwhere(reference).mean(axis=0)).astype(int)
    near = [tuple((centre + step).tolist()) for step in product((0, -1, 1), repeat=3)]
    return max(near, key=lambda shift: dsc(places - shift))


def fit_faults(fits: Mapping[str, Fit | None]) -> dict[str, str]:
    """Find label maps that fit much better in another way.

    A way counts for a single case if it makes the case fit by a large gain. For a shift, and for a smaller gain, nearly
    all cases must have the gain in the same way. A shift counts as the same up to one voxel, or with a large gain.

    Parameters
    ----------
    fits : dict
        Case to its fit; None where the prediction is empty, which is no fault.

    Returns
    -------
    dict
        Case to the fault, in words.
    """
    found = {case: fit for case, fit in fits.items() if fit}
    ways = dict.fromkeys(way for fit in found.values() for way in fit.otherwise)
    usual = {way: cases for way in ways if len(cases := _in_the_same_way(found, way)) >= max(2, MOST * len(found))}
    usual = dict(sorted(usual.items(), key=lambda one: -_mean(found, *one)))
    faults = {}
    for case, fit in found.items():
        own = {value: way for way, value in fit.otherwise.items() if way != SHIFT and _gains(fit, way, MUCH)}
        likely = [way for way, cases in usual.items() if case in cases]
        likely += [own[value] for value in sorted(own, reverse=True)]
        if likely:
            faults[case] = _fault(fit, likely[0])
    return faults


def _mean(fits: Mapping[str, Fit], way: str, cases: set[str]) -> float:
    return float(np.mean([fits[case].otherwise[way] for case in cases]))


def _in_the_same_way(fits: Mapping[str, Fit], way: str) -> set[str]:
    """Cases that one way makes fit much better; a shift with a smaller gain must be about the same in all."""
    better = {case: fit for case, fit in fits.items() if _gains(fit, way, CONSISTENT)}
    if way != SHIFT or not better:
        return set(better)
    usual_px = np.median([fit.shift_px for fit in better.values()], axis=0)
    return {
        case for case, fit in better.items() if _gains(fit, SHIFT, MUCH) or np.abs(fit.shift_px - usual_px).max() <= 1
    }


def _gains(fit: Fit, words: str, gain: float) -> bool:
    value = fit.otherwise.get(words, 0.0)
    return value >= FITS and value - fit.given >= gain


def _fault(fit: Fit, words: str) -> str:
    how = (
        f"shifted by {', '.join(str(-step) for step in fit.shift_px)} voxels along x, y, z" if words == SHIFT else words
    )
    return (
        f"the label map fits the reference much better {how}: DSC {fit.otherwise[words]:.2f} instead of {fit.given:.2f}"
    )
