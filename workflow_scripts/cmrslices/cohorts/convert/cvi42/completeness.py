"""Whether all that a study and its workspace hold is accounted for: used, set aside with a note, or a fault."""

import filecmp
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cmrslices.cohorts.convert.cvi42.cine import MIN_FRAMES, Cine
from cmrslices.cohorts.convert.cvi42.headers import Frame, StudyHeaders, Unplaced, another_image, describe_unplaced
from cmrslices.cohorts.convert.cvi42.pixels import read_pixels
from cmrslices.cohorts.convert.cvi42.slice_geometry import same_geometry
from cmrslices.cohorts.convert.cvi42.workspace import ImageKey, StatedSize, Workspace, describe_unknown
from cmrslices.runtime.errors import InputError

SAME_SPACING = 0.01
"""Relative difference at which a pixel size of the workspace still agrees with the DICOM file, which may round it."""


def check_repeats(folder: Path, repeats: Sequence[tuple[Frame, Frame]]) -> None:
    """Refuse files that have the UID and the header of another file, but other pixels.

    Pixels are decoded only where the bytes of two such files differ.

    Parameters
    ----------
    folder : Path
        The patient's folder.
    repeats : sequence of (Frame, Frame)
        Pairs of images with one UID and one header.

    Raises
    ------
    InputError
        Pixels differ, or cannot be read.
    """
    same_files: dict[tuple[str, str], bool] = {}
    different = []
    for known, other in repeats:
        files = known.file, other.file
        if files not in same_files:
            same_files[files] = _are_same_bytes(folder, *files)
        if not same_files[files] and not np.array_equal(read_pixels(folder, known), read_pixels(folder, other)):
            different.append((known, other))
    if different:
        raise another_image(different, "other pixels")


def _are_same_bytes(folder: Path, first: str, second: str) -> bool:
    try:
        return filecmp.cmp(folder / first, folder / second, shallow=False)
    except OSError:
        raise InputError(f"{second}: the file cannot be read; mend its permissions or export it again") from None


def check_contoured(unplaced: Sequence[Unplaced], contoured: Collection[ImageKey]) -> None:
    """Refuse contours on images that have no place in space.

    Raises
    ------
    InputError
        The workspace has contours on such an image.
    """
    drawn = [image for image in unplaced if image.key in contoured]
    series = {image.series for image in drawn}
    if drawn:
        such = describe_unplaced([image for image in unplaced if image.series in series])
        raise InputError(f"{such}, but contours lie on {len(drawn)} of these images; export the original images again")


def set_aside_unplaced(headers: StudyHeaders, cine: Cine) -> tuple[str, ...]:
    """Note the images that have no place in space, if they cannot be slices of the cine.

    An image may be of the cine if it is of one of its series. It may also be of it if its series has as many images as
    a cine slice has, and what is known of the image's geometry agrees with the cine.

    Returns
    -------
    tuple of str
        ``images-without-ATTRIBUTE-set-aside-N``: N images lack the attribute, or its value makes no sense.

    Raises
    ------
    InputError
        An image may be of the cine.
    """
    one = cine.frames[0][0]
    series = {frame.series for times in cine.frames for frame in times}
    images: list[Frame | Unplaced] = [*headers.frames, *headers.unplaced]
    counts = Counter(image.series for image in images)
    missing = [
        image
        for image in headers.unplaced
        if image.series in series
        or (counts[image.series] >= MIN_FRAMES and same_geometry(one, replace(one, **image.known)))
    ]
    if missing:
        raise InputError(
            f"{describe_unplaced(missing)}, so slices of the short-axis cine may be missing; "
            "export the original images again, or remove these files if they belong to another series"
        )
    lacking = Counter(next(iter(image.problems)) for image in headers.unplaced)
    return tuple(f"images-without-{keyword}-set-aside-{count}" for keyword, count in sorted(lacking.items()))


def set_aside_other_studies(workspace: Workspace, headers: StudyHeaders) -> tuple[Workspace, tuple[str, ...]]:
    """Leave out what the workspace has on images of another study, such as the patient's previous exam.

    A workspace names a study by its StudyInstanceUID. What it has on an image in the folder counts in any case.

    Returns
    -------
    workspace : Workspace
        Without the other studies; the whole one if no contoured image is of the study in the folder.
    notes : tuple of str
        ``contours-on-N-images-of-another-study-set-aside``.
    """
    present = {frame.key for frame in headers.frames} | {image.key for image in headers.unplaced}
    # If no list has the study's UID, it was changed after the contours were drawn: then the images show the own list.
    own = headers.studies & _studies(workspace, workspace.studies) or _studies(workspace, present)
    others = {image for image, studies in workspace.studies.items() if image not in present and own.isdisjoint(studies)}
    aside = others & workspace.contours.keys()
    if aside == workspace.contours.keys():
        return workspace, ()
    notes = (f"contours-on-{len(aside)}-images-of-another-study-set-aside",) if aside else ()
    images = (workspace.contours.keys() | workspace.sizes.keys() | workspace.unknown.keys()) - others
    return workspace.only(images), notes


def _studies(workspace: Workspace, images: Iterable[ImageKey]) -> set[str]:
    """Studies to which the workspace assigns the images."""
    return {study for image in images for study in workspace.studies.get(image, ())}


def note_unknown(workspace: Workspace) -> tuple[str, ...]:
    """Count and name the contours that are not understood: ``N contours not understood: NAME, NAME``."""
    return tuple(filter(None, [describe_unknown(workspace.unknown.values())]))


def check_sizes(sizes: dict[ImageKey, list[StatedSize]], cine: Cine) -> None:
    """Compare what the workspace states about the images of the cine with the DICOM files.

    The two numbers may stand in either order, because the vendor does not document which one is first.

    Parameters
    ----------
    sizes : dict
        Image to what the workspace states about it.
    cine : Cine

    Raises
    ------
    InputError
        They disagree. The message gives both values of the first image, and the number of such images.
    """
    faults: dict[ImageKey, str] = {}
    for frame in (frame for times in cine.frames for frame in times):
        for size in sizes.get(frame.key, ()):
            fault = _contradiction(size, frame)
            if fault:
                faults.setdefault(frame.key, f"line {size.line}: on {frame.file}: {fault}")
    if faults:
        more = f" (and so on {len(faults) - 1} more images)" if len(faults) > 1 else ""
        raise InputError(f"{next(iter(faults.values()))}{more}; export images and workspace of the same study again")


def _contradiction(size: StatedSize, frame: Frame) -> str:
    is_matrix = size.key == "ImageSize"
    stored = frame.matrix[::-1] if is_matrix else frame.spacing_mm[::-1]
    tolerance = 0 if is_matrix else SAME_SPACING
    orders = (stored, stored[::-1])
    if size.values and any(np.allclose(size.values, order, rtol=tolerance, atol=0) for order in orders):
        return ""
    stated = _product(size.values) if size.values else "that is not two numbers"
    if is_matrix:
        return f"the workspace says {size.key} {stated}, the DICOM image is {_product(stored)}"
    return f"the workspace says {size.key} {stated}, the DICOM image has {_product(stored)} (in mm)"


def _product(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:.6g}" for value in values)
