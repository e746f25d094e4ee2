"""The short-axis cine among all images of a study: chosen by the contours, checked, laid out in space."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import polar

from cmrslices.cohorts.convert.cvi42.headers import CLOCKS, Frame
from cmrslices.cohorts.convert.cvi42.workspace import ImageKey
from cmrslices.cohorts.convert.orientation import APEX_TO_BASE_RAS
from cmrslices.runtime.errors import InputError

RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0])

MIN_SLICES = 3
"""Fewer parallel positions are long-axis or flow."""

MIN_FRAMES = 8
"""Fewer images per position are no cine: late enhancement has 1 or 2, T2 maps 3, localisers 1. Cines have 15 to 50."""

SAME_POSITION_MM = 1.0
"""Repeats lie this close along the normal. Headers round to less, and slices lie some 5 mm and more apart."""

SAME_ORIENTATION_DEGREES = 1.0
SAME_SPACING = 1e-3
"""Relative: a quarter of a pixel over 256."""

EVEN = 0.1
"""Share of the usual distance of slices that a distance may differ by without a note."""

ON_GRID = 0.25
"""The same share for a distance to count as a multiple, with slices missing in between."""

HEARTBEAT_CLOCKS = CLOCKS.index("AcquisitionTime")
"""The clocks before this one tell the place in the heart cycle: images that share it are different kinds."""


@dataclass(frozen=True)
class CineStack:
    """A short-axis cine in space and time.

    Attributes
    ----------
    frames : tuple of tuple of Frame
        [slice][time]: slices by position from base to apex, frames by time; as many frames in every slice.
    affine : (4, 4) array
        Index of the (column, row, slice) array to RAS, mm; orthonormal directions.
    choice : str
        What was taken and why, without header text.
    notes : tuple of str
        Findings that are no faults: ``spacing-uneven``, ``in-plane-offset-slice-K-by-D-mm``,
        ``contours-on-N-other-images-set-aside``.
    """

    frames: tuple[tuple[Frame, ...], ...]
    affine: np.ndarray
    choice: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Acquisition:
    """The frames of one slice that were taken together."""

    frames: tuple[Frame, ...]  # by time
    ordered: bool  # their times tell them apart
    geometry: int  # index of what shares orientation, spacing and matrix in the study
    position: int  # index of the position along the normal among those of the geometry
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


def find_stack(frames: list[Frame], contoured: Collection[ImageKey]) -> CineStack:
    """Find the short-axis cine that the contours name.

    A stack has one orientation, spacing and matrix, over any number of series. Its slices are those with a
    contour; the others of their series; and such of series with one or two slices that have as many frames and
    the same image type, and lie on its grid. Of a repeated slice the contoured acquisition is taken, else the one
    with most frames, else the latest. Contours on stills (late enhancement, maps) are set aside.

    Slices are ordered from base to apex, and their indices in messages and notes are counted from 0.

    Parameters
    ----------
    frames : list of Frame
        All of the study.
    contoured : collection of ImageKey
        Images with a short-axis contour.

    Raises
    ------
    InputError
        The contours name no image of the study, not all of them, images of several geometries or of two
        acquisitions of a slice; there is no short-axis cine; a slice or a frame is missing; a slice holds
        several images of one time.
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
        raise _no_short_axis(acquisitions, f"the contours lie on a series of {_count(len(chosen), 'slice position')}")
    _check_frames(chosen)
    affine, notes = _lay_out(chosen)
    used = sum(acquisition.contours(contoured) for acquisition in chosen)
    aside = len(contoured) - used
    if aside:
        notes.append(f"contours-on-{aside}-other-images-set-aside")
    choice = _describe(chosen, reasons, frames, f"all {used}" if not aside else f"{used} of {len(contoured)}")
    return CineStack(tuple(acquisition.frames for acquisition in chosen), affine, choice, tuple(notes))


def _acquisitions(frames: list[Frame]) -> list[_Acquisition]:
    acquisitions = []
    for geometry, members in enumerate(_group_by_geometry(frames)):
        normal = _towards_apex(*np.reshape(members[0].orientation, (2, 3)))
        distances_mm = np.array([frame.position_mm for frame in members]) @ normal
        order = np.argsort(distances_mm, kind="stable")
        starts = np.flatnonzero(np.diff(distances_mm[order]) > SAME_POSITION_MM) + 1
        for position, indices in enumerate(np.split(order, starts)):
            place = geometry, position, float(distances_mm[indices].mean())
            series = defaultdict(list)
            for index in indices:
                series[members[index].series, members[index].is_magnitude].append(members[index])
            repeats = (repeat for together in series.values() for repeat in _split_repeats(together))
            acquisitions += [_Acquisition(*_order_in_time(repeat), *place) for repeat in repeats]
    return acquisitions


def _towards_apex(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Normal of a short-axis image with these directions (LPS), from base to apex."""
    normal = np.cross(row, column)
    return -normal if normal @ (RAS_OF_LPS @ APEX_TO_BASE_RAS) > 0 else normal


def _group_by_geometry(frames: list[Frame]) -> list[list[Frame]]:
    groups: list[list[Frame]] = []
    known: dict[tuple, list[Frame]] = {}
    for frame in frames:
        key = (frame.orientation, frame.spacing_mm, frame.matrix)
        if key not in known:
            known[key] = next((group for group in groups if _same_geometry(group[0], frame)), [])
            if not known[key]:
                groups.append(known[key])
        known[key].append(frame)
    return groups


def _same_geometry(first: Frame, second: Frame) -> bool:
    return (
        first.matrix == second.matrix
        and np.allclose(first.spacing_mm, second.spacing_mm, rtol=SAME_SPACING, atol=0)
        and _turn_degrees(first, second) <= SAME_ORIENTATION_DEGREES
    )


def _turn_degrees(first: Frame, second: Frame) -> float:
    """Larger angle between the row directions, or between the column directions, of two images."""
    axes = (np.reshape(frame.orientation, (2, 3)) for frame in (first, second))
    cosines = np.prod(list(axes), axis=0).sum(axis=1)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())


def _split_repeats(frames: list[Frame]) -> Iterable[list[Frame]]:
    """Repeats of a slice within a series: by the acquisition number, if each has the frames of a cine."""
    numbered = defaultdict(list)
    for frame in frames:
        numbered[frame.acquisition_number].append(frame)
    return numbered.values() if min(map(len, numbered.values())) >= MIN_FRAMES else [frames]


def _order_in_time(frames: list[Frame]) -> tuple[tuple[Frame, ...], bool]:
    """Frames by the first clock that all have and that tells them apart; and whether one does."""
    for clock in range(len(CLOCKS)):
        times = [frame.clocks[clock] for frame in frames]
        if None in times:
            continue
        counts = Counter(times)
        if len(counts) == len(frames):
            return tuple(sorted(frames, key=lambda frame: frame.clocks[clock])), True
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
            f"{other.file}: its contours lie on another geometry than those of {one.file}: {_difference(other, one)}; "
            "keep the short-axis contours of one stack"
        )


def _difference(first: Frame, second: Frame) -> str:
    if first.matrix != second.matrix:
        return f"{first.matrix[0]} x {first.matrix[1]} against {second.matrix[0]} x {second.matrix[1]} pixels"
    if not np.allclose(first.spacing_mm, second.spacing_mm, rtol=SAME_SPACING, atol=0):
        spacings = (f"{frame.spacing_mm[0]:.5g} x {frame.spacing_mm[1]:.5g}" for frame in (first, second))
        return f"{' against '.join(spacings)} mm pixels"
    return f"turned by {_turn_degrees(first, second):.3g} degrees"


def _choose_slices(
    parallel: list[_Acquisition], cines: list[_Acquisition], contoured: frozenset[ImageKey]
) -> tuple[list[_Acquisition], dict[str, list[int]]]:
    """The acquisition of each slice, by position; and why, for repeated ones: numbers of the slices by reason."""
    count = Counter(len(acquisition.frames) for acquisition in cines).most_common(1)[0][0]
    own, others = _candidates(parallel, cines, contoured, count)
    grid_mm = sorted({acquisition.position: acquisition.position_mm for acquisition in own}.values())
    if len(grid_mm) < MIN_SLICES:
        grid_mm = sorted({acquisition.position: acquisition.position_mm for acquisition in own + others}.values())
    by_position = defaultdict(list)
    for acquisition in own + [other for other in others if _is_on_grid(other.position_mm, grid_mm)]:
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
    """Acquisitions of the series with contours; and those like them of series with one or two slices."""
    series = {acquisition.series for acquisition in cines}
    types = {acquisition.frames[0].image_type for acquisition in cines}
    sizes = Counter(name for name, _ in {(acquisition.series, acquisition.position) for acquisition in parallel})
    filled = {a.position for a in parallel if a in cines or (a.is_cine and len(a.frames) == count)}
    own, others = [], []
    for acquisition in parallel:
        if acquisition.contours(contoured):
            # Fewer frames beside a cine are stills; elsewhere they are a slice that lacks frames.
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


def _is_on_grid(position_mm: float, grid_mm: list[float]) -> bool:
    """Whether the nearest slice is none, one or more whole steps away."""
    distance_mm = min(abs(position_mm - other) for other in grid_mm)
    return distance_mm == 0 or _missing_slices(distance_mm, _usual_gap_mm(grid_mm)) is not None


def _usual_gap_mm(positions_mm: list[float]) -> float:
    """Median distance of neighbours; of an even number the smaller, as missing slices make distances larger."""
    gaps_mm = sorted(np.diff(positions_mm))
    return float(gaps_mm[(len(gaps_mm) - 1) // 2])


def _missing_slices(gap_mm: float, usual_mm: float) -> int | None:
    """Number of slices that are missing in a gap, or None if it is no multiple of the usual."""
    steps = round(gap_mm / usual_mm)
    return steps - 1 if steps and abs(gap_mm / usual_mm - steps) <= ON_GRID else None


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


def _lay_out(chosen: list[_Acquisition]) -> tuple[np.ndarray, list[str]]:
    """Affine of the stack, and notes on slices that lie off its grid.

    Raises
    ------
    InputError
        A slice is missing between two others.
    """
    firsts = [acquisition.frames[0] for acquisition in chosen]
    row, column = np.mean([frame.orientation for frame in firsts], axis=0).reshape(2, 3)
    directions, _ = polar(np.column_stack([row, column, _towards_apex(row, column)]))
    # In-plane offset of the first voxel along the row and the column, and position along the normal.
    origins_mm = np.array([frame.position_mm for frame in firsts]) @ directions
    notes = _check_gaps(chosen, origins_mm[:, 2])
    row_spacing_mm, column_spacing_mm = firsts[0].spacing_mm
    centre_mm = np.median(origins_mm[:, :2], axis=0)
    offsets_mm = np.linalg.norm(origins_mm[:, :2] - centre_mm, axis=1)
    for index, offset_mm in enumerate(offsets_mm):
        if offset_mm > min(row_spacing_mm, column_spacing_mm):
            notes.append(f"in-plane-offset-slice-{index}-by-{offset_mm:.1f}-mm")
    step_mm = (origins_mm[-1, 2] - origins_mm[0, 2]) / (len(firsts) - 1)
    affine = np.eye(4)
    affine[:3, :3] = directions * (column_spacing_mm, row_spacing_mm, step_mm)
    affine[:3, 3] = directions @ (*centre_mm, origins_mm[0, 2])
    affine[:3] = RAS_OF_LPS @ affine[:3]
    return affine, notes


def _check_gaps(chosen: list[_Acquisition], positions_mm: np.ndarray) -> list[str]:
    usual_mm = _usual_gap_mm(list(positions_mm))
    gaps_mm = np.diff(positions_mm)
    for index, gap_mm in enumerate(gaps_mm):
        missing = _missing_slices(gap_mm, usual_mm)
        if missing:
            raise InputError(
                f"the study: {_count(missing, 'slice')} missing between slice indices {index} ({chosen[index].file}) "
                f"and {index + 1} ({chosen[index + 1].file}): {gap_mm:.3g} mm apart, the others {usual_mm:.3g} mm; "
                "export all slices of the short-axis cine"
            )
    return ["spacing-uneven"] if np.any(np.abs(gaps_mm / usual_mm - 1) > EVEN) else []


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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
