"""The short-axis cine among all images of a study: which images its slices and times are."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from cmrslices.cohorts.convert.cvi42.headers import CLOCKS, Frame
from cmrslices.cohorts.convert.cvi42.slice_geometry import (
    SAME_POSITION_MM,
    describe_difference,
    group_by_geometry,
    group_by_position,
    is_on_grid,
    lay_out,
    offset_along_normal_mm,
)
from cmrslices.cohorts.convert.cvi42.workspace import ImageKey
from cmrslices.runtime.errors import InputError

MIN_SLICES = 3
"""A series with fewer parallel slices is a long-axis or a flow series."""

MIN_FRAMES = 8
"""A slice with fewer images is no cine: late enhancement has 1 or 2, T2 maps 3, localisers 1. Cines have 15 to 50."""

HEARTBEAT_CLOCKS = CLOCKS.index("AcquisitionTime")
"""The clocks before this one tell the place in the heart cycle: several images at one place are of different kinds."""


@dataclass(frozen=True)
class Cine:
    """A short-axis cine in space and time.

    Attributes
    ----------
    frames : tuple of tuple of Frame
        [slice][time]: slices from base to apex, frames in the order of time; every slice has the same number.
    affine : (4, 4) array
        Index of the (column, row, slice) array to RAS, mm; orthonormal directions.
    choice : str
        What was taken and why, without header text.
    notes : tuple of str
        Findings that are no faults: ``spacing-uneven``, ``in-plane-offset-slice-K-by-D-mm``,
        ``parallel-cine-slices-set-aside-N`` for slices that lie beside the stack and do not continue it, such as those
        with another number of frames; ``contours-on-N-other-images-set-aside``.
    """

    frames: tuple[tuple[Frame, ...], ...]
    affine: np.ndarray
    choice: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Acquisition:
    """One recording of one slice: its frames over the heart cycle. A slice that was repeated has several."""

    frames: tuple[Frame, ...]  # in the order of time
    ordered: bool  # whether a clock tells all frames apart
    geometry: int  # number of the group of images with its orientation, spacing and matrix
    position: int  # number of its position along the normal, from the base, within the group
    position_mm: float

    @property
    def file(self) -> str:
        return self.frames[0].file

    @property
    def series(self) -> str:
        return self.frames[0].series

    @property
    def is_cine(self) -> bool:
        return len(self.frames) >= MIN_FRAMES and self.ordered and self.frames[0].is_magnitude

    def contours(self, contoured: Collection[ImageKey]) -> int:
        return sum(frame.key in contoured for frame in self.frames)


def find_cine(frames: list[Frame], contoured: Collection[ImageKey]) -> Cine:
    """Find the short-axis cine on which the contours are drawn.

    The cine has one orientation, pixel spacing and matrix; its slices may come from any number of series. These slices
    belong to it:

    - slices with a contour;
    - the other slices of the same series;
    - slices of series with only one or two slices, if they have the same number of frames and the same image type,
      and lie on the grid of the slices above.

    Where a slice was recorded more than once, the contoured acquisition is taken; if there is none, the one with most
    frames; among equals, the latest. Contours on stills (late enhancement, maps) are left out and counted in a note.

    Slices are ordered from base to apex, and messages and notes count them from 0.

    Parameters
    ----------
    frames : list of Frame
        All images of the study.
    contoured : collection of ImageKey
        Keys of the images with a short-axis contour.

    Raises
    ------
    InputError
        A contoured image is not in the study; contours lie on images of several geometries, or on two acquisitions
        of one slice; slices of one series differ in geometry; there is no short-axis cine; a slice or
        a frame is missing; a slice holds several images of one time.
    """
    contoured = frozenset(contoured)
    acquisitions = _acquisitions(frames)
    _check_named(frames, contoured, acquisitions)
    named = [acquisition for acquisition in acquisitions if acquisition.contours(contoured)]
    cines = [acquisition for acquisition in named if len(acquisition.frames) >= MIN_FRAMES]
    if not cines:
        raise _no_short_axis(acquisitions, f"the contoured images have fewer than {MIN_FRAMES} frames per slice")
    _check_one_geometry(cines)
    parallel = [acquisition for acquisition in acquisitions if acquisition.geometry == cines[0].geometry]
    chosen, reasons = _choose_slices(parallel, cines, contoured)
    if len(chosen) < MIN_SLICES:
        positions = f"{len(chosen)} slice position{'s' if len(chosen) > 1 else ''}"
        raise _no_short_axis(acquisitions, f"the contours lie on a series of {positions}")
    _check_frames(chosen)
    affine, notes = lay_out([acquisition.frames[0] for acquisition in chosen])
    beside = _slices_beside(chosen, acquisitions)
    _check_same_series(chosen, beside)
    if beside:
        notes.append(f"parallel-cine-slices-set-aside-{len(beside)}")
    used = sum(acquisition.contours(contoured) for acquisition in chosen)
    aside = len(contoured) - used
    if aside:
        notes.append(f"contours-on-{aside}-other-images-set-aside")
    choice = _describe(chosen, reasons, frames, f"all {used}" if not aside else f"{used} of {len(contoured)}")
    return Cine(tuple(acquisition.frames for acquisition in chosen), affine, choice, tuple(notes))


def _acquisitions(frames: list[Frame]) -> list[_Acquisition]:
    acquisitions = []
    for geometry, parallel in enumerate(group_by_geometry(frames)):
        for position, (position_mm, images) in enumerate(group_by_position(parallel)):
            series = defaultdict(list)
            for frame in images:
                series[frame.series, frame.is_magnitude].append(frame)
            repeats = (repeat for together in series.values() for repeat in _split_repeats(together))
            acquisitions += [
                _Acquisition(*_order_in_time(repeat), geometry, position, position_mm) for repeat in repeats
            ]
    return acquisitions


def _split_repeats(frames: list[Frame]) -> Iterable[list[Frame]]:
    """Split the images of a slice in one series by acquisition number, if each part has enough frames for a cine."""
    numbered = defaultdict(list)
    for frame in frames:
        numbered[frame.acquisition_number].append(frame)
    return numbered.values() if min(map(len, numbered.values())) >= MIN_FRAMES else [frames]


def _order_in_time(frames: list[Frame]) -> tuple[tuple[Frame, ...], bool]:
    """Order frames by the first clock that all of them have and that differs in all; also say whether there is one."""
    for clock in range(len(CLOCKS)):
        times = [time for frame in frames if (time := frame.clocks[clock]) is not None]
        if len(times) < len(frames):
            continue
        counts = Counter(times)
        if len(counts) == len(frames):
            return tuple(frame for _, frame in sorted(zip(times, frames, strict=True), key=itemgetter(0))), True
        if clock < HEARTBEAT_CLOCKS and len(counts) > 1 and len(set(counts.values())) == 1:
            break
    return tuple(frames), len(frames) == 1


def _check_named(frames: list[Frame], contoured: frozenset[ImageKey], acquisitions: list[_Acquisition]) -> None:
    strange = len(contoured - {frame.key for frame in frames})
    if strange == len(contoured):
        positions = Counter(geometry for geometry, _ in _places(a for a in acquisitions if a.is_cine))
        if max(positions.values(), default=0) < MIN_SLICES:
            raise _no_short_axis(acquisitions, f"no cine has {MIN_SLICES} parallel slices")
        raise InputError(
            f"the workspace: none of its {len(contoured)} contoured images is in the study; it is that of another "
            "patient or export: put the two that belong together there"
        )
    if strange:
        raise InputError(
            f"the workspace: {strange} of its {len(contoured)} contoured images are not in the study; "
            "export these images too"
        )


def _no_short_axis(acquisitions: list[_Acquisition], why: str) -> InputError:
    by_series = defaultdict(list)
    for acquisition in acquisitions:
        by_series[acquisition.series].append(acquisition)
    kinds = Counter(_kind(members) for members in by_series.values())
    found = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return InputError(f"the study: no short-axis cine: {why}; export its series (there are of {found})")


def _kind(series: list[_Acquisition]) -> str:
    if not any(acquisition.frames[0].is_magnitude for acquisition in series):
        return "phase images"
    if not any(acquisition.is_cine for acquisition in series):
        return "stills" if len({acquisition.geometry for acquisition in series}) == 1 else "localisers"
    places = _places(acquisition for acquisition in series if acquisition.is_cine)
    return "cine stacks" if len(places) >= MIN_SLICES else "cines of one or two slices"


def _places(acquisitions: Iterable[_Acquisition]) -> set[tuple[int, int]]:
    return {(acquisition.geometry, acquisition.position) for acquisition in acquisitions}


def _check_one_geometry(cines: list[_Acquisition]) -> None:
    usual = Counter(acquisition.geometry for acquisition in cines).most_common(1)[0][0]
    one = next(acquisition.frames[0] for acquisition in cines if acquisition.geometry == usual)
    for other in (acquisition.frames[0] for acquisition in cines if acquisition.geometry != usual):
        raise InputError(
            f"{other.file}: its contours lie on another geometry than those of {one.file}: "
            f"{describe_difference(other, one)}; keep the short-axis contours of one stack"
        )


def _choose_slices(
    parallel: list[_Acquisition], cines: list[_Acquisition], contoured: frozenset[ImageKey]
) -> tuple[list[_Acquisition], dict[str, list[int]]]:
    """Choose an acquisition for every slice.

    Returns
    -------
    chosen : list of _Acquisition
        From base to apex.
    reasons : dict of str to list of int
        For slices that were repeated: why an acquisition was chosen, to the indices of the slices.
    """
    count = Counter(len(acquisition.frames) for acquisition in cines).most_common(1)[0][0]
    own, others = _candidates(parallel, cines, contoured, count)
    grid_mm = sorted({acquisition.position: acquisition.position_mm for acquisition in own}.values())
    if len(grid_mm) < MIN_SLICES:
        grid_mm = sorted({acquisition.position: acquisition.position_mm for acquisition in own + others}.values())
    by_position = defaultdict(list)
    for acquisition in own + [other for other in others if is_on_grid(other.position_mm, grid_mm)]:
        by_position[acquisition.position].append(acquisition)
    chosen, reasons = [], defaultdict(list)
    for index, position in enumerate(sorted(by_position)):
        acquisition, reason = _choose_repeat(by_position[position], contoured, count)
        chosen.append(acquisition)
        if sum(other.is_cine and other.position == position for other in parallel) > 1:
            reasons[reason].append(index)
    return chosen, reasons


def _candidates(
    parallel: list[_Acquisition], cines: list[_Acquisition], contoured: frozenset[ImageKey], count: int
) -> tuple[list[_Acquisition], list[_Acquisition]]:
    """Acquisitions of the contoured series; and similar ones from series with only one or two slices."""
    series = {acquisition.series for acquisition in cines}
    types = {acquisition.frames[0].image_type for acquisition in cines}
    sizes = Counter(name for name, _ in {(acquisition.series, acquisition.position) for acquisition in parallel})
    filled = {a.position for a in parallel if a in cines or (a.is_cine and len(a.frames) == count)}
    own, others = [], []
    for acquisition in parallel:
        if acquisition.contours(contoured):
            # Contours on too few frames: where the position has a cine too, they are on stills; where it has none,
            # the slice belongs to the cine and lacks frames, which is an error later.
            if acquisition in cines or acquisition.position not in filled:
                own.append(acquisition)
        elif acquisition.series in series:
            if acquisition.frames[0].is_magnitude:
                own.append(acquisition)
        elif (
            sizes[acquisition.series] < MIN_SLICES
            and acquisition.is_cine
            and len(acquisition.frames) == count
            and acquisition.frames[0].image_type in types
        ):
            others.append(acquisition)
    return own, others


def _choose_repeat(repeats: list[_Acquisition], contoured: frozenset[ImageKey], count: int) -> tuple[_Acquisition, str]:
    named = [acquisition for acquisition in repeats if acquisition.contours(contoured)]
    if len(named) > 1:
        raise InputError(
            f"{named[0].file}: its contours and those of {named[1].file} lie on two acquisitions of one slice; "
            "keep those of one"
        )
    if named:
        return named[0], "the contoured acquisition"
    usual = [acquisition for acquisition in repeats if len(acquisition.frames) == count] or repeats
    most = max(len(acquisition.frames) for acquisition in usual)
    complete = [acquisition for acquisition in usual if len(acquisition.frames) == most]
    latest = max(
        complete,
        key=lambda acquisition: (
            acquisition.frames[0].series_number,
            acquisition.frames[0].acquisition_number,
            acquisition.file,
        ),
    )
    return latest, "the one with most frames" if len(complete) == 1 else "the latest"


def _check_frames(chosen: list[_Acquisition]) -> None:
    usual = Counter(len(acquisition.frames) for acquisition in chosen).most_common(1)[0][0]
    for index, acquisition in enumerate(chosen):
        where = f"{acquisition.file}: slice index {index}"
        if not acquisition.ordered:
            raise InputError(f"{where} holds several images of one time; keep one reconstruction of the cine")
        count = len(acquisition.frames)
        if count < usual:
            raise InputError(f"{where} has {count} frames, the others have {usual}; export the missing frames")
        if count > usual:
            raise InputError(f"{where} has {count} frames, the others have {usual}; remove what is no part of the cine")


def _slices_beside(chosen: list[_Acquisition], acquisitions: list[_Acquisition]) -> list[_Acquisition]:
    """Cine slices that may be missing in the stack: they lie in parallel planes, at places of its grid without a slice.

    They may have other frames, another image type, pixel spacing, matrix or orientation in plane.
    """
    one = chosen[0].frames[0]
    grid_mm = [offset_along_normal_mm(acquisition.frames[0], one) or 0.0 for acquisition in chosen]
    beside = []
    for acquisition in acquisitions:
        offset_mm = offset_along_normal_mm(acquisition.frames[0], one)
        if offset_mm is None or 2 * len(acquisition.frames) < len(chosen[0].frames):
            continue
        is_taken = min(abs(offset_mm - other) for other in grid_mm) <= SAME_POSITION_MM
        if not is_taken and is_on_grid(offset_mm, grid_mm):
            beside.append(acquisition)
    return beside


def _check_same_series(chosen: list[_Acquisition], beside: list[_Acquisition]) -> None:
    """Refuse slices beside the stack that are of its series, but have another geometry."""
    one = chosen[0].frames[0]
    series = {acquisition.series for acquisition in chosen}
    strange = [a for a in beside if a.series in series and a.is_cine and a.geometry != chosen[0].geometry]
    for other in (acquisition.frames[0] for acquisition in strange):
        raise InputError(
            f"{other.file}: a slice of the series of {one.file}, but with another geometry: "
            f"{describe_difference(other, one)}; export the original images again"
        )


def _describe(chosen: list[_Acquisition], reasons: dict[str, list[int]], frames: list[Frame], contours: str) -> str:
    used = len({acquisition.series for acquisition in chosen})
    total = len({frame.series for frame in frames})
    parts = [
        f"{len(chosen)} slices x {len(chosen[0].frames)} frames of {used} of {total} series, "
        f"to which {contours} contoured images belong"
    ]
    for reason, indices in reasons.items():
        if len(indices) == len(chosen):
            parts.append(f"every slice repeated: {reason}")
        else:
            parts.append(f"slice index {', '.join(map(str, indices))} repeated: {reason}")
    return "; ".join(parts)
