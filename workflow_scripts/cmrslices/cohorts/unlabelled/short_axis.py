"""The short-axis cine of a study without contours: found by geometry, timing and completeness.

Where a study has contours, `find_cine` starts from the slices on which they are drawn. Here it starts from one slice of
the only stack of cines that can be the short axis.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cmrslices.cohorts.convert.cvi42.cine import MIN_FRAMES, MIN_SLICES, Cine, find_cine
from cmrslices.cohorts.convert.cvi42.headers import CLOCKS, Frame
from cmrslices.cohorts.convert.cvi42.slice_geometry import RAS_OF_LPS, group_by_geometry, group_by_position
from cmrslices.cohorts.convert.orientation import APEX_TO_BASE_RAS
from cmrslices.runtime.errors import InputError

SHORT_AXIS_DEGREES = 45.0
"""Largest angle between the normal of a short-axis slice and the usual direction from base to apex. Slices along the
scanner's axes (transverse, coronal, sagittal) lie at 55 degrees from it, long-axis slices at about 90."""

FEW = 0.5
"""A stack with at most this share of the slices of another one, at the same places, is a repeat of some slices."""

SAME_CYCLE = 0.25
"""Slices whose frames span times that differ by more than this share are noted: the heart rate changed."""

MILLISECONDS = tuple(CLOCKS.index(name) for name in ("TriggerTime", "NominalCardiacTriggerDelayTime"))


class _Slice(NamedTuple):
    """The images of one series at one position of a stack."""

    series: str
    position: int
    frames: list[Frame]


class _Stack(NamedTuple):
    """Parallel cine slices of one geometry, of any number of series."""

    slices: list[_Slice]

    @property
    def positions(self) -> set[int]:
        return {one.position for one in self.slices}

    @property
    def angle_degrees(self) -> float:
        """Angle between the normal and the usual direction from base to apex, whichever way the slices are stored."""
        row, column = np.reshape(self.slices[0].frames[0].orientation, (2, 3))
        cosine = abs(np.cross(row, column) @ (RAS_OF_LPS @ APEX_TO_BASE_RAS))
        return float(np.degrees(np.arccos(min(cosine, 1.0))))

    def describe(self) -> str:
        one = self.slices[0].frames[0]
        frames = Counter(len(own.frames) for own in self.slices).most_common(1)[0][0]
        return (
            f"{len(self.positions)} slices x {frames} frames of {one.matrix[0]} x {one.matrix[1]} pixels, "
            f"{self.angle_degrees:.0f} degrees off the usual short axis (such as {one.file})"
        )


def find_short_axis(frames: list[Frame]) -> Cine:
    """Find the short-axis cine among all images of a study.

    A stack of cines has at least `MIN_SLICES` parallel slices of one orientation, pixel spacing and matrix, each with
    at least `MIN_FRAMES` magnitude images. It can be the short axis if its normal lies at most `SHORT_AXIS_DEGREES`
    from the usual direction from base to apex. Exactly one such stack must be there. Its slices, times and repeats are
    then found as in a study with contours, see `find_cine`: every slice has the same number of frames, told apart by a
    clock, and no slice is missing.

    Parameters
    ----------
    frames : list of Frame
        All images of the study.

    Returns
    -------
    Cine
        Slices from base to apex. A note ``cycle-spans-A-to-B-ms`` says that the frames of the slices span different
        times.

    Raises
    ------
    InputError
        There is no such stack, or more than one; a slice or a frame is missing, or a slice holds several images of one
        time.
    """
    stacks = _stacks(frames)
    short = [stack for stack in stacks if stack.angle_degrees <= SHORT_AXIS_DEGREES]
    if len(short) > 1:
        raise InputError(
            f"the study: {len(short)} stacks of cines may be the short axis: {_listed(short)}; keep the files of one "
            "in the patient's folder"
        )
    if not short:
        found = f"the other stacks of cines are: {_listed(stacks)}" if stacks else _without_stack(frames)
        raise InputError(f"the study: no short-axis cine; {found}; export the short-axis cine")
    cine = find_cine(frames, {frame.key for frame in _seed(short[0]).frames})
    return replace(cine, choice=_choice(cine, frames), notes=(*cine.notes, *_cycle_notes(cine)))


def _stacks(frames: Iterable[Frame]) -> list[_Stack]:
    return [
        stack
        for parallel in group_by_geometry([frame for frame in frames if frame.is_magnitude])
        for stack in _stacks_of(parallel)
    ]


def _stacks_of(parallel: list[Frame]) -> list[_Stack]:
    """Split the cine slices of one geometry into stacks: series with most of their positions in common are rivals."""
    slices = []
    for position, (_, images) in enumerate(group_by_position(parallel)):
        counts = Counter(frame.series for frame in images)
        slices += [
            _Slice(series, position, [frame for frame in images if frame.series == series])
            for series, count in counts.items()
            if count >= MIN_FRAMES
        ]
    whole = _Stack(slices)
    if len(whole.positions) < MIN_SLICES:
        return []
    by_series = [_Stack([own for own in slices if own.series == series]) for series in {own.series for own in slices}]
    large = sorted(by_series, key=lambda stack: len(stack.positions), reverse=True)
    largest = large[0]
    rivals = [
        stack
        for stack in large[1:]
        if len(stack.positions) >= MIN_SLICES
        and len(stack.positions & largest.positions) > FEW * len(largest.positions)
    ]
    if rivals:
        return [largest, *rivals]
    return [_Stack(sorted(slices, key=lambda own: own.series != largest.slices[0].series))]


def _seed(stack: _Stack) -> _Slice:
    """Take a slice to start from: of the largest series, with the usual number of frames, and recorded only once."""
    repeats = Counter(own.position for own in stack.slices)
    usual = Counter(len(own.frames) for own in stack.slices).most_common(1)[0][0]
    sizes = Counter(own.series for own in stack.slices)
    return min(
        stack.slices,
        key=lambda own: (repeats[own.position] > 1, len(own.frames) != usual, -sizes[own.series], own.position),
    )


def _listed(stacks: list[_Stack]) -> str:
    return "; ".join(stack.describe() for stack in stacks)


def _without_stack(frames: list[Frame]) -> str:
    series = Counter(frame.series for frame in frames)
    return (
        f"among {len(frames)} images of {len(series)} series, no {MIN_SLICES} parallel slices have {MIN_FRAMES} or "
        "more frames each"
    )


def _choice(cine: Cine, frames: list[Frame]) -> str:
    """Say what was taken and why, without header text."""
    used = {frame.series for times in cine.frames for frame in times}
    total = {frame.series for frame in frames}
    repeats = cine.choice.split("; ")[1:]
    taken = (
        f"{len(cine.frames)} slices x {len(cine.frames[0])} frames of {len(used)} of {len(total)} series, the only "
        "stack of cines near the short axis"
    )
    return "; ".join([taken, *repeats])


def _cycle_notes(cine: Cine) -> tuple[str, ...]:
    spans_ms = [span for times in cine.frames if (span := _span_ms(times)) is not None]
    if not spans_ms or max(spans_ms) <= (1 + SAME_CYCLE) * min(spans_ms):
        return ()
    return (f"cycle-spans-{min(spans_ms):.0f}-to-{max(spans_ms):.0f}-ms",)


def _span_ms(times: tuple[Frame, ...]) -> float | None:
    """Time from the first to the last frame by the clock that counts from the R wave; None without one."""
    for clock in MILLISECONDS:
        values = [value for frame in times if (value := frame.clocks[clock]) is not None]
        if len(values) == len(times) and len(set(values)) == len(times):
            return float(max(values) - min(values))
    return None
