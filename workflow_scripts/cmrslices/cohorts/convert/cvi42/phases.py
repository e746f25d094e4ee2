"""ED and ES told from the contours, and what is odd about them."""

from itertools import pairwise

import numpy as np
from scipy.stats import theilslopes
from shapely import Polygon

from cmrslices.cohorts.convert.cvi42.contours import find_outline, is_closed
from cmrslices.cohorts.convert.cvi42.workspace import BORDERS
from cmrslices.labels import PHASES
from cmrslices.runtime.errors import InputError

SAME_AREA = 1e-3
"""Relative difference of cavity area below which ED and ES are the same contours."""

LARGEST_SHIFT_MM = 5.0
"""Deviation of a slice that is noted: half a slice distance, and beyond what the heart's own curvature
does (in ACDC, 95 of 100 slices deviate by less)."""

WINDOW = 5
"""Slices that a slice is compared with, itself among them: enough to outvote a shifted one, few enough
for a curved heart to be straight."""

Contours = list[list[dict[str, np.ndarray]]]
"""Contours by name, (n, 2) in pixels, of each slice and time."""


def find_phases(contours: Contours) -> dict[str, int]:
    """Find ED and ES: of the two contoured times, ED has the larger LV cavity.

    Parameters
    ----------
    contours : list of list of dict
        [slice][time], empty where an image has none.

    Returns
    -------
    dict
        ED and ES to the index of the time.

    Raises
    ------
    InputError
        Not exactly two times are contoured; a border is not contoured in both; both have the same cavity.
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
    ed, es = sorted(times, key=cavity_px.get, reverse=True)
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
    return [index for index, images in enumerate(contours) if find_outline(images[time], border) is not None]


def _area_px(image: dict[str, np.ndarray]) -> float:
    outline = find_outline(image, "LV endocardium")
    return 0.0 if outline is None else Polygon(outline).area


def find_oddities(contours: Contours, phases: dict[str, int], spacing_mm: tuple[float, float]) -> tuple[str, ...]:
    """Note what is odd about the contours but no fault.

    ``epicardium-missing-in-N-slices``: the LV endocardium without epicardium between slices that have one,
    in either phase. ``breath-hold-shift-slice-K-by-D-mm``: the centre of the LV epicardium (of the
    endocardium where that has more closed contours) in slice K lies that far, in plane, off the straight
    line through its neighbours. The line is Theil and Sen's through the five nearest slices, which one
    shifted slice does not turn; of two shifted ones side by side either may be noted. The shift is the
    mean of both phases: slice and breath-hold are the same. Open contours have no centre to rely on.

    Parameters
    ----------
    contours : list of list of dict
        [slice][time].
    phases : dict
        ED and ES to the index of the time.
    spacing_mm : (rows, columns)
        PixelSpacing.

    Returns
    -------
    tuple of str
        Slices are counted from 0, from base to apex as in `CineStack`.
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


def _shifts_mm(contours: Contours, phases: dict[str, int], spacing_mm: tuple[float, float]) -> dict[int, float]:
    shifts: dict[int, list[np.ndarray]] = {}
    for time in phases.values():
        for index, shift in _deviations_mm(_centres_mm(contours, time, spacing_mm)).items():
            shifts.setdefault(index, []).append(shift)
    return {index: float(np.linalg.norm(np.mean(of_phases, axis=0))) for index, of_phases in shifts.items()}


def _centres_mm(contours: Contours, time: int, spacing_mm: tuple[float, float]) -> dict[int, np.ndarray]:
    of_borders = []
    for border in ("LV epicardium", "LV endocardium"):
        closed = [index for index, images in enumerate(contours) if is_closed(images[time], border)]
        outlines = {index: find_outline(contours[index][time], border) for index in closed}
        of_borders.append({index: _centre(points) * spacing_mm[::-1] for index, points in outlines.items()})
    return max(of_borders, key=len)


def _centre(points: np.ndarray) -> np.ndarray:
    return np.array(Polygon(points).centroid.coords[0])


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
