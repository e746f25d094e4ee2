"""Which contoured time is ED and which is ES, and what is odd about the contours."""

from itertools import pairwise

import numpy as np
from scipy.stats import theilslopes
from shapely import Polygon, union_all

from cmrslices.cohorts.convert.cvi42.contours import closed_outlines, find_outlines
from cmrslices.cohorts.convert.cvi42.workspace import BORDERS
from cmrslices.labels import PHASES
from cmrslices.runtime.errors import InputError

SAME_AREA = 1e-3
"""Cavity areas that differ by less than this share are taken for the same contours, drawn at both times."""

LARGEST_SHIFT_MM = 5.0
"""A slice that deviates by more is noted. This is about half of a slice distance, and more than a heart's own curvature
gives: in ACDC, 95 of 100 slices deviate by less."""

WINDOW = 5
"""Number of slices, itself included, with which a slice is compared: enough that one shifted slice does not decide, and
so few that a curved heart is nearly straight over them."""

Contours = list[list[dict[str, np.ndarray]]]
"""[slice][time] of a cine: the contours of the image by name, each (n, 2) in pixels; empty where it has none."""


def find_phases(contours: Contours) -> dict[str, int]:
    """Find ED and ES: ED is the contoured time with the larger LV cavity.

    Parameters
    ----------
    contours : Contours

    Returns
    -------
    dict
        ED and ES, each to the index of its time.

    Raises
    ------
    InputError
        The contoured times are not two; a border is not contoured at both; the cavity is equally large at both.
    """
    slices = {time: np.flatnonzero(images) for time, images in enumerate(zip(*contours, strict=True))}
    times = [time for time, contoured in slices.items() if contoured.size]
    if len(times) != len(PHASES):
        found = ", ".join(f"time index {time} in {_name_slices(slices[time])}" for time in times) or "none"
        raise InputError(
            f"ED and ES are needed, but the contoured times are {len(times)}: {found}; {_remedy(len(times))}"
        )
    for border in BORDERS:
        _check_border(contours, border, times)
    cavity_px = {time: sum(_area_px(images[time]) for images in contours) for time in times}
    ed, es = sorted(times, key=lambda time: cavity_px[time], reverse=True)
    if np.isclose(cavity_px[ed], cavity_px[es], rtol=SAME_AREA):
        raise InputError(
            f"the LV cavity is as large at time index {ed} as at {es}, so neither is ED; "
            "contour the two phases each on its own images"
        )
    return dict(zip(PHASES, (ed, es), strict=True))


def _name_slices(slices: np.ndarray) -> str:
    return f"slice index {slices[0]} only" if slices.size == 1 else f"{slices.size} slices"


def _remedy(times: int) -> str:
    return "delete the stray contours" if times > len(PHASES) else "contour all slices at both"


def _check_border(contours: Contours, border: str, times: list[int]) -> None:
    drawn = [time for time in times if _slices_with(contours, border, time)]
    if not drawn:
        raise InputError(f"{border}: no contour at either phase; draw it at ED and ES")
    if len(drawn) == 1:
        other = next(time for time in times if time not in drawn)
        raise InputError(f"{border}: contours at time index {drawn[0]}, but none at {other}; draw them at both")


def _slices_with(contours: Contours, border: str, time: int) -> list[int]:
    return [index for index, images in enumerate(contours) if find_outlines(images[time], border)]


def _area_px(image: dict[str, np.ndarray]) -> float:
    pieces = [Polygon(outline) for outline in find_outlines(image, "LV endocardium")]
    return pieces[0].area if len(pieces) == 1 else union_all([piece.buffer(0) for piece in pieces]).area


def find_oddities(contours: Contours, phases: dict[str, int], spacing_mm: tuple[float, ...]) -> tuple[str, ...]:
    """Note what is odd about the contours without being a fault.

    ``epicardium-missing-in-N-slices``
        N slices have an LV endocardium but no epicardium, although slices on both sides of them have one; slices of
        either phase count.
    ``breath-hold-shift-slice-K-by-D-mm``
        The centre of the LV in slice K lies D mm, in plane, off the straight line through its neighbours. The centre is
        that of the epicardium, or of the endocardium where more slices have a closed contour of it; an open contour has
        no reliable centre. The line is fitted to the five nearest slices by the method of Theil and Sen, so that a
        single shifted slice does not change it; of two shifted slices side by side, either may be noted. Both phases of
        a slice come from one breath-hold, so D is the length of their mean shift.

    Parameters
    ----------
    contours : Contours
    phases : dict
        ED and ES, each to the index of its time.
    spacing_mm : (rows, columns)
        Pixel spacing.

    Returns
    -------
    tuple of str
        The notes; slices are counted from 0 at the base.
    """
    bare = {index for time in phases.values() for index in _without_epicardium(contours, time)}
    notes = [f"epicardium-missing-in-{len(bare)}-slices"] if bare else []
    for index, shift_mm in sorted(_shifts_mm(contours, phases, spacing_mm).items()):
        if shift_mm > LARGEST_SHIFT_MM:
            notes.append(f"breath-hold-shift-slice-{index}-by-{shift_mm:.0f}-mm")
    return tuple(notes)


def _without_epicardium(contours: Contours, time: int) -> list[int]:
    epicardium = _slices_with(contours, "LV epicardium", time)
    endocardium = set(_slices_with(contours, "LV endocardium", time))
    gaps = (range(first + 1, second) for first, second in pairwise(epicardium))
    return [index for gap in gaps for index in gap if index in endocardium]


def _shifts_mm(contours: Contours, phases: dict[str, int], spacing_mm: tuple[float, ...]) -> dict[int, float]:
    shifts: dict[int, list[np.ndarray]] = {}
    for time in phases.values():
        for index, shift in _deviations_mm(_centres_mm(contours, time, spacing_mm)).items():
            shifts.setdefault(index, []).append(shift)
    return {index: float(np.linalg.norm(np.mean(of_phases, axis=0))) for index, of_phases in shifts.items()}


def _centres_mm(contours: Contours, time: int, spacing_mm: tuple[float, ...]) -> dict[int, np.ndarray]:
    of_borders = []
    for border in ("LV epicardium", "LV endocardium"):
        drawn = {index: closed_outlines(images[time], border) for index, images in enumerate(contours)}
        of_borders.append({index: _centre(pieces) * spacing_mm[::-1] for index, pieces in drawn.items() if pieces})
    return max(of_borders, key=len)


def _centre(pieces: list[np.ndarray]) -> np.ndarray:
    """Centre of the largest piece."""
    return np.array(max(map(Polygon, pieces), key=lambda piece: piece.area).centroid.coords[0])


def _deviations_mm(centres_mm: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    if len(centres_mm) < WINDOW:
        return {}
    slices = np.array(list(centres_mm))
    centres = np.array(list(centres_mm.values()))
    deviations = {}
    for place, index in enumerate(slices):
        start = np.clip(place - WINDOW // 2, 0, len(slices) - WINDOW)
        near = slice(start, start + WINDOW)
        fits = [theilslopes(centres[near, axis], slices[near], method="joint") for axis in range(2)]
        line = np.array([fit.intercept + fit.slope * index for fit in fits])
        deviations[int(index)] = centres[place] - line
    return deviations
