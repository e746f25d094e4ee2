"""ED and ES of a cine: the frames with the largest and the smallest LV cavity, searched on the middle slices.

The ends of the heart move through the first and last slices during the cycle, and approaches segment them worst, so
that only the middle slices are searched.
"""

from typing import NamedTuple

import numpy as np

from cmrslices.cohorts.regions import PAPER, RegionRule, slice_regions
from cmrslices.labels import REGIONS

USUAL = 0.5
"""A slice counts as one of the heart if the LVBP is found in it in at least this share of the frames."""

WEIGHTS = (0.25, 0.5, 0.25)
"""Of the frame before, the frame itself and the frame after, in the smoothed curve."""

FEWEST_SMOOTHED = 5
"""Curves of fewer frames are not smoothed: a neighbour would be half a heartbeat away."""

SAME = 1e-9
"""Volumes that differ by no more than this share of the largest are equal."""

NO_LVBP = "no frame has LVBP in the middle slices"
ONE_FRAME = "one frame only has LVBP in the middle slices"
UNCHANGED = "the LVBP does not change"


class Choice(NamedTuple):
    """A frame, and how sure its choice is.

    Attributes
    ----------
    frame : int
        From 0.
    next_frame : int or None
        The second best frame of the smoothed curve that is not beside it in the cycle, since neighbours are nearly as
        good in any case; None where there is no other.
    lead_ml : float
        How far the second best is behind the extremum of the smoothed curve of the middle slices; NaN where there is
        none.
    """

    frame: int
    next_frame: int | None
    lead_ml: float


class FoundPhases(NamedTuple):
    """ED and ES of a cine, and the curve in which they were found.

    Attributes
    ----------
    ed, es : Choice or None
        None where the curve does not tell; the note says why.
    searched_ml : (frames,) array
        Volume of the LVBP in the middle slices, missed slices filled; NaN for a frame without any.
    smoothed_ml : (frames,) array
        The same, smoothed over the cycle.
    note : str
        `NO_LVBP`, `ONE_FRAME`, `UNCHANGED`, or how many frames are without LVBP; otherwise empty.
    """

    ed: Choice | None
    es: Choice | None
    searched_ml: np.ndarray
    smoothed_ml: np.ndarray
    note: str


def find_phases(lvbp_ml: np.ndarray, rule: RegionRule = PAPER) -> FoundPhases:
    """Find ED and ES of a cine: the largest and the smallest volume of the LVBP in the `middle_slices`.

    A middle slice that is missed in some frames does not make a heart small: it is filled, see `fill_missed`. The
    extremum is searched on the curve that is smoothed over the cycle, see `smooth_cycle`, so that a single wrong frame
    decides nothing. Smoothing moves the extremum where the curve falls faster than it rises, as it does at ED. So of
    the frame that is found and its two neighbours, the one with the most extreme volume before smoothing is taken. Of
    equal frames, the one with the more extreme smoothed volume counts, then the earliest, as recordings begin at ED. A
    frame without LVBP in all middle slices is a failed segmentation and not an empty heart: it is neither ED nor ES.

    Parameters
    ----------
    lvbp_ml : (frames, slices) array
        Volume of the LVBP in each frame and slice, slice 0 at the base.
    rule : RegionRule

    Examples
    --------
    >>> curve_ml = [100, 90, 60, 40, 50, 70, 85, 95]
    >>> found = find_phases(np.array(curve_ml)[:, None])
    >>> found.ed, found.es
    (Choice(frame=0, next_frame=6, lead_ml=12.5), Choice(frame=3, next_frame=5, lead_ml=21.25))
    """
    lvbp_ml = np.asarray(lvbp_ml, dtype=float)
    middle_ml = lvbp_ml[:, middle_slices(lvbp_ml, rule)]
    empty = middle_ml.sum(axis=1) == 0
    searched_ml = np.where(empty, np.nan, fill_missed(middle_ml).sum(axis=1))
    smoothed_ml = smooth_cycle(searched_ml)
    note = _why_not(searched_ml)
    if note:
        return FoundPhases(None, None, searched_ml, smoothed_ml, note)
    ed = _largest(smoothed_ml, searched_ml)
    es = _largest(-smoothed_ml, -searched_ml)
    note = f"no LVBP in the middle slices of {empty.sum()} of {len(empty)} frames" if empty.any() else ""
    return FoundPhases(ed, es, searched_ml, smoothed_ml, note)


def middle_slices(lvbp_ml: np.ndarray, rule: RegionRule = PAPER) -> np.ndarray:
    """Slices in which ED and ES are searched: the middle ones of those that hold the LVBP over most of the cycle.

    Of the frames with any LVBP, a slice must hold it in at least the share `USUAL`. If there is no such slice, all
    count that ever hold it. If the rule calls none of these middle, all of them are searched.

    Parameters
    ----------
    lvbp_ml : (frames, slices) array
        Slice 0 at the base.
    rule : RegionRule
        Which of so many slices are base, middle and apex.

    Returns
    -------
    (slices,) array of bool

    Examples
    --------
    >>> middle_slices(np.ones((20, 6)))
    array([False,  True,  True,  True,  True, False])
    """
    found = np.asarray(lvbp_ml) > 0
    with_any = found[found.any(axis=1)]
    of_heart = with_any.mean(axis=0) >= USUAL if len(with_any) else np.zeros(found.shape[1], dtype=bool)
    if not of_heart.any():
        of_heart = found.any(axis=0)
    regions, _ = slice_regions(of_heart, rule)
    middle = regions == REGIONS[1]
    return middle if middle.any() else of_heart


def fill_missed(volumes_ml: np.ndarray) -> np.ndarray:
    """Fill what is missed in single slices, linearly between the frames before and after; the cycle has no end.

    Parameters
    ----------
    volumes_ml : (frames, slices) array
        0 where nothing is found.

    Returns
    -------
    (frames, slices) array
        A slice in which nothing is ever found stays 0.

    Examples
    --------
    >>> fill_missed(np.array([[0.0], [8.0], [6.0], [4.0]]))[:, 0]
    array([6., 8., 6., 4.])
    """
    frames = np.arange(len(volumes_ml))
    filled = volumes_ml.copy()
    for one in filled.T:
        known = np.flatnonzero(one)
        if 0 < len(known) < len(one):
            one[:] = np.interp(frames, known, one[known], period=len(one))
    return filled


def smooth_cycle(volumes_ml: np.ndarray) -> np.ndarray:
    """Weighted mean of each frame and its two neighbours; the last frame and the first are neighbours.

    Parameters
    ----------
    volumes_ml : (frames,) array
        NaN for a frame that is not known; it stays so, and its neighbours are smoothed without it.

    Returns
    -------
    (frames,) array
        The same volumes where there are fewer than `FEWEST_SMOOTHED` frames.

    Examples
    --------
    >>> smooth_cycle(np.array([8.0, 0.0, 0.0, 0.0, 4.0]))
    array([5., 2., 0., 1., 4.])
    """
    if len(volumes_ml) < FEWEST_SMOOTHED:
        return volumes_ml.copy()
    weights = np.array(WEIGHTS)[:, None]
    neighbours = np.stack([np.roll(volumes_ml, step) for step in (1, 0, -1)])
    known = ~np.isnan(neighbours)
    sums = np.where(known, neighbours, 0.0) * weights
    with np.errstate(invalid="ignore"):
        smoothed = sums.sum(axis=0) / (known * weights).sum(axis=0)
    return np.where(np.isnan(volumes_ml), np.nan, smoothed)


def _why_not(searched_ml: np.ndarray) -> str:
    known = searched_ml[~np.isnan(searched_ml)]
    if len(known) == 0:
        return NO_LVBP
    if len(known) == 1:
        return ONE_FRAME
    return UNCHANGED if np.ptp(known) <= SAME * known.max() else ""


def _largest(smoothed: np.ndarray, volumes: np.ndarray) -> Choice:
    """Choose the frame with the largest value; NaN is no value."""
    peak = _first_largest(smoothed, volumes)
    frame = _first_largest(np.where(_is_beside(peak, len(smoothed)), volumes, np.nan), smoothed)
    near = _is_beside(peak, len(smoothed)) | _is_beside(frame, len(smoothed))
    others = np.where(near, np.nan, smoothed)
    if np.isnan(others).all():
        return Choice(frame, None, float("nan"))
    following = _first_largest(others, volumes)
    return Choice(frame, following, float(smoothed[peak] - smoothed[following]))


def _is_beside(frame: int, frames: int) -> np.ndarray:
    """Whether each frame is a given one, or beside it in the cycle."""
    return np.isin(np.arange(frames), [(frame + step) % frames for step in (-1, 0, 1)])


def _first_largest(values: np.ndarray, ties: np.ndarray) -> int:
    """Frame with the largest value; of equal ones that with the largest value in `ties`, and then the earliest."""
    tolerance = SAME * np.nanmax(np.abs(values))
    equal = np.flatnonzero(values >= np.nanmax(values) - tolerance)
    return int(equal[np.argmax(ties[equal])])
