"""NIfTI images of one patient in: every frame that is wanted, with the checks that images with labels go through."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np

from cmrslices.cohorts.convert.nifti_header import read_grid
from cmrslices.cohorts.convert.volumes import check_axes, check_image
from cmrslices.cohorts.unlabelled.layouts import Image
from cmrslices.runtime.errors import CollectedErrors, InputError
from cmrslices.runtime.nifti import DAMAGES, open_image


@dataclass(frozen=True)
class Stack:
    """The image of one case.

    Attributes
    ----------
    image : (x, y, z) array
        Of the stored type if that is an integer type, else float32.
    affine : (4, 4) array
        Voxel index to RAS, mm; orthonormal directions.
    frame : int or None
        Index of the time, from 0; None where the source is one file for each phase.
    notes : tuple of str
        What was repaired in the header, and what is odd without being a fault.
    """

    image: np.ndarray
    affine: np.ndarray
    frame: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PatientImages:
    """All cases of one patient as read.

    Attributes
    ----------
    stacks : dict of str to Stack
        By phase: ED and ES, or `phase_name` of each frame of a cine.
    about : dict of str to str or float
        Further columns of cases.csv, the same for all cases.
    """

    stacks: dict[str, Stack]
    about: dict[str, str | float | None] = field(default_factory=dict)


def phase_name(frame: int) -> str:
    """Name of a frame of a cine in names of cases, and in the column ``phase`` of tables.

    Examples
    --------
    >>> phase_name(7)
    'f07'
    """
    return f"f{frame:02d}"


def read_images(images: tuple[Image, ...]) -> PatientImages:
    """Read and check the NIfTI images of one patient: a whole cine, or ED and ES.

    Raises
    ------
    CollectedErrors
        With a line for each image at fault: the file is missing, damaged or not of the needed dimensions; its third
        axis cannot be that of the slices; a frame has no content, or values beyond float32.
    """
    stacks: dict[str, Stack] = {}
    faults = []
    for image in images:
        try:
            stacks |= _read(image)
        except InputError as fault:
            faults.append(f"{image.phase}: {fault}" if image.phase else str(fault))
    if faults:
        raise CollectedErrors(faults)
    return PatientImages(stacks)


def _read(image: Image) -> dict[str, Stack]:
    is_cine = not image.phase
    voxels, affine, notes = _read_file(image.path, dimensions=4 if is_cine or image.frame is not None else 3)
    check_axes(voxels.shape[:3], np.linalg.norm(affine[:3, :3], axis=0), image.path)
    if image.frame is not None and image.frame >= voxels.shape[3]:
        raise InputError(f"{image.path}: no frame with index {image.frame} among {voxels.shape[3]}; correct ED and ES")
    if is_cine:
        chosen: dict[str, int | None] = {phase_name(frame): frame for frame in range(voxels.shape[3])}
    else:
        chosen = {image.phase: image.frame}
    return {
        phase: Stack(_checked(voxels if frame is None else voxels[..., frame], image.path, frame), affine, frame, notes)
        for phase, frame in chosen.items()
    }


def _read_file(path: Path, dimensions: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    if not path.is_file():
        raise InputError(f"{path}: the file is missing; restore it")
    try:
        file = cast(nib.Nifti1Image, open_image(path))
        if len(file.shape) != dimensions or file.shape[2] == 1:
            found = "a single slice" if len(file.shape) > 2 and file.shape[2] == 1 else f"{len(file.shape)}D"
            needed = "x, y, slices, frames" if dimensions == 4 else "x, y, slices"
            raise InputError(f"{path}: {found}, where a {dimensions}D stack of short-axis slices ({needed}) is needed")
        voxels = np.asanyarray(file.dataobj)
        affine, repairs = read_grid(file, path)
    except InputError:
        raise
    except DAMAGES as fault:
        reason = " ".join(str(fault).split())
        raise InputError(
            f"{path}: truncated, damaged or not what its name says ({reason}); fetch or export it again"
        ) from None
    if voxels.dtype.kind not in "iuf":
        raise InputError(f"{path}: voxels of type {voxels.dtype}; grey values are needed")
    return voxels, affine, tuple(repairs)


def _checked(image: np.ndarray, path: Path, frame: int | None) -> np.ndarray:
    try:
        check_image(image, path)
    except InputError as fault:
        raise InputError(str(fault) if frame is None else f"frame with index {frame}: {fault}") from None
    if image.dtype.kind == "f":
        largest, limit = float(np.abs(image).max()), float(np.finfo(np.float32).max)
        if largest > limit:
            raise InputError(f"{path}: the largest value is {largest:.3g}, beyond float32; scale the values down")
        return image.astype(np.float32)
    return image
