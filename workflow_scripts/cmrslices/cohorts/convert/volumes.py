"""Raw NIfTI files in, converted ones out: a stack is read with every check, and written so that SimpleITK reads it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np

from cmrslices.cohorts.convert.geometry import TOLERANCE_PX, corner_distance_px
from cmrslices.cohorts.convert.nifti_header import has_lost_header, has_lost_spacing, read_grid
from cmrslices.cohorts.convert.raw import RawCase, RawPatient
from cmrslices.labels import LABELS
from cmrslices.runtime.errors import CollectedErrors, InputError
from cmrslices.runtime.nifti import DAMAGES, HEADER_DAMAGES, open_image, pack

ROUNDING = 1e-3
"""Some tools store label values as floating-point numbers that are off a whole number by rounding."""


@dataclass(frozen=True)
class LabelledStack:
    """Image and label of one case, on the same grid.

    Attributes
    ----------
    image : (x, y, z) array
        Of the stored type if that is an integer type, else float32.
    label : (x, y, z) array of uint8
        1 LVBP, 2 LVM, 3 RVBP.
    affine : (4, 4) array
        Voxel index to RAS, mm; orthonormal directions.
    repairs : tuple of str
        What was repaired in the headers, and what is odd without being a fault.
    frame : int or None
        Index of the time, from 0, where the source has more frames than ED and ES.
    """

    image: np.ndarray
    label: np.ndarray
    affine: np.ndarray
    repairs: tuple[str, ...]
    frame: int | None = None


@dataclass(frozen=True)
class PatientStacks:
    """The two cases of one patient as read.

    Attributes
    ----------
    stacks : dict of str to LabelledStack
        ED and ES.
    about : dict of str to str or float
        Further columns of cases.csv, the same for both phases.
    """

    stacks: dict[str, LabelledStack]
    about: dict[str, str | float | None] = field(default_factory=dict)


def read_nifti_stacks(patient: RawPatient, label_map: dict[str, int]) -> PatientStacks:
    """Read and check both cases of a patient whose images and labels are NIfTI.

    Parameters
    ----------
    patient : RawPatient
    label_map : dict
        Value of LVBP, LVM and RVBP in the source.

    Raises
    ------
    CollectedErrors
        With a line for each phase at fault; see `read_labelled_stack`.
    """
    stacks, faults = {}, []
    for raw in patient.cases:
        try:
            stacks[raw.phase] = read_labelled_stack(raw, label_map)
        except InputError as fault:
            faults.append(f"{raw.phase}: {fault}")
    if faults:
        raise CollectedErrors(faults)
    return PatientStacks(stacks)


def read_labelled_stack(raw: RawCase, label_map: dict[str, int]) -> LabelledStack:
    """Read and check image and label of one case.

    Parameters
    ----------
    raw : RawCase
    label_map : dict
        Value of LVBP, LVM and RVBP in the source.

    Raises
    ------
    InputError
        A file is missing, damaged or no 3D (or 4D) stack; its third axis cannot be that of the slices; image and label
        differ in their grid; the image has no content, or values beyond float32; the label has unknown values, no
        labelled slice or a gap between labelled slices.
    """
    image, affine, repairs = _read_volume(raw.image, raw.frame)
    label, label_affine, label_repairs = _read_volume(raw.label, raw.frame)
    check_image(image, raw.image)
    check_axes(image.shape, np.linalg.norm(affine[:3, :3], axis=0), raw.image)
    if image.shape != label.shape:
        raise InputError(
            f"{raw.label}: {_size(label)} voxels, but its image has {_size(image)}; image and label must share one grid"
        )
    _check_same_grid(raw, affine, label_affine, image.shape)
    mapped = map_labels(label, label_map, raw.label)
    check_labelled_slices(mapped, raw.label)
    if image.dtype.kind == "f":
        image = _to_float32(image, raw.image)
    return LabelledStack(image, mapped, affine, tuple(sorted({*repairs, *label_repairs})), raw.frame)


def _check_same_grid(raw: RawCase, affine: np.ndarray, label_affine: np.ndarray, shape: tuple[int, ...]) -> None:
    distance_px = corner_distance_px(affine, label_affine, shape)
    if distance_px <= TOLERANCE_PX:
        return
    off = f"its grid lies up to {distance_px:.2g} pixels off its"
    if has_lost_header(label_affine, affine):
        raise InputError(f"{raw.label}: {off} image's; copy the image's geometry onto it (its header was lost)")
    if has_lost_spacing(affine, label_affine):  # images without directions and place are known: those of ACDC
        raise InputError(f"{raw.image}: {off} label's; copy the label's geometry onto it (its header was lost)")
    raise InputError(f"{raw.label}: {off} image's; resample it to the image")


def _to_float32(image: np.ndarray, path: Path) -> np.ndarray:
    largest, limit = float(np.abs(image).max()), float(np.finfo(np.float32).max)
    if largest > limit:
        raise InputError(
            f"{path}: the largest value is {largest:.3g}, but float32, in which images are kept, ends at {limit:.3g}; "
            "scale the values down"
        )
    return image.astype(np.float32)


def _size(voxels: np.ndarray) -> str:
    return " x ".join(str(size) for size in voxels.shape)


def _read_volume(path: Path, frame: int | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    if not path.is_file():
        raise InputError(f"{path}: the file is missing; restore it")
    with _readable(path):
        file = cast(nib.Nifti1Image, open_image(path))
        voxels = _select_frame(file, frame, path)
    if voxels.dtype.kind not in "iuf":
        raise InputError(f"{path}: voxels of type {voxels.dtype}; grey values or labels are needed")
    with _readable(path):
        affine, repairs = read_grid(file, path)
    return voxels, affine, repairs


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except HEADER_DAMAGES as fault:
        reason = " ".join(str(fault).split())
        raise InputError(f"{path}: its header is damaged ({reason}); export it again") from None
    except DAMAGES as fault:
        reason = " ".join(str(fault).split())
        raise InputError(f"{path}: truncated or not what its name says ({reason}); fetch it again") from None


def _select_frame(file: nib.Nifti1Image, frame: int | None, path: Path) -> np.ndarray:
    dimensions = len(file.shape)
    if dimensions < 3 or file.shape[2] == 1:
        raise InputError(f"{path}: a 2D image; a stack of short-axis slices is needed")
    if dimensions != (3 if frame is None else 4):
        raise InputError(f"{path}: {dimensions}D, where {3 if frame is None else 4}D is needed")
    if frame is None:
        return np.asanyarray(file.dataobj)
    if frame >= file.shape[3]:
        raise InputError(f"{path}: no frame with index {frame} among {file.shape[3]}; correct ED and ES")
    return np.asanyarray(file.dataobj[..., frame])


def check_image(image: np.ndarray, path: Path) -> None:
    """Refuse an image without content.

    Raises
    ------
    InputError
        Voxels are not finite, or all the same.
    """
    if not np.isfinite(image).all():
        raise InputError(f"{path}: the image holds NaN or infinite values; export it again")
    if image.min() == image.max():
        raise InputError(f"{path}: the image is constant; export it again")


def check_axes(shape: tuple[int, ...], spacing_mm: np.ndarray, path: Path) -> None:
    """Refuse a stack whose third axis cannot be that of the slices, such as an array stored as slices, rows, columns.

    Slices are few and far apart, and pixels are about as wide as high. The limits leave room for 3D images of one
    spacing in all directions.

    Parameters
    ----------
    shape : tuple of int
        Voxels along the three axes.
    spacing_mm : array, shape (3,)
    path : Path
        Named in the error.

    Raises
    ------
    InputError
        The third axis has more than twice as many voxels as another one, or less than half of the spacing of another
        one; or the spacings of the other two differ by more than a factor of 2.

    Examples
    --------
    >>> check_axes((256, 216, 10), np.array([1.5, 1.5, 8.0]), Path("stack.nii.gz"))
    >>> check_axes((10, 216, 256), np.array([8.0, 1.5, 1.5]), Path("stack.nii.gz"))
    Traceback (most recent call last):
        ...
    cmrslices.runtime.errors.InputError: stack.nii.gz: 10 x 216 x 256 voxels of 8 x 1.5 x 1.5 mm, so the third axis ...
    """
    in_plane = spacing_mm[:2]
    many, fine = shape[2] > 2 * min(shape[:2]), spacing_mm[2] < min(in_plane) / 2
    if many or fine or max(in_plane) > 2 * min(in_plane):
        voxels, spacing = " x ".join(map(str, shape)), " x ".join(f"{value:.3g}" for value in spacing_mm)
        raise InputError(
            f"{path}: {voxels} voxels of {spacing} mm, so the third axis cannot be that of the slices; store the array "
            "as rows, columns, slices"
        )


def map_labels(label: np.ndarray, label_map: dict[str, int], path: Path) -> np.ndarray:
    """Map the label values of a source to this project's, as uint8.

    Parameters
    ----------
    label : array
        The source's values, of any numeric type. A value that is at most `ROUNDING` off a whole number is that number.
    label_map : dict
        Value of LVBP, LVM and RVBP in the source.
    path : Path
        Named in the error.

    Raises
    ------
    InputError
        A value is neither 0 nor in the map, or no whole number.
    """
    if label.dtype.kind == "f":
        label = _whole_numbers(label, path)
    mapped, known = np.zeros_like(label, dtype=np.uint8), label == 0
    for name, value in label_map.items():
        carried = label == value
        np.copyto(mapped, LABELS[name], where=carried)
        known |= carried
    if not known.all():
        values = ", ".join(f"{value} {name}" for name, value in label_map.items())
        raise InputError(f"{path}: unknown label values {_some(label[~known])}; known are 0 and {values}")
    return mapped


def _whole_numbers(label: np.ndarray, path: Path) -> np.ndarray:
    rounded = np.rint(label)
    odd = label[~(np.abs(label - rounded) <= ROUNDING)]  # NaN is odd too
    if not np.isfinite(odd).all():
        strange = _some(odd[~np.isfinite(odd)])
        raise InputError(
            f"{path}: unknown label values {strange}; the label map holds no numbers there: export it again"
        )
    if odd.size:
        raise InputError(
            f"{path}: unknown label values {_some(odd)}; label values are not whole numbers, such as {_some(odd[:1])}: "
            "the label map was resampled with interpolation; use nearest neighbour"
        )
    return rounded


def _some(values: np.ndarray) -> str:
    """Up to five of the values, each with as many digits as tell it from its neighbours."""
    different = np.unique(values)
    shown = [f"{value}".removesuffix(".0") for value in different[:5]]
    return ", ".join(shown) + (", ..." if len(different) > 5 else "")


def check_labelled_slices(label: np.ndarray, path: Path) -> None:
    """Refuse a label by which no regions can be assigned.

    Raises
    ------
    InputError
        No slice is labelled, or an unlabelled slice lies between labelled ones.
    """
    labelled = np.flatnonzero(label.any(axis=(0, 1)))
    if labelled.size == 0:
        raise InputError(f"{path}: the label is empty in all slices; label the case")
    gaps = sorted(set(range(labelled[0], labelled[-1])) - set(labelled.tolist()))
    if gaps:
        slices = ", ".join(str(gap) for gap in gaps)
        raise InputError(f"{path}: a gap between labelled slices, at index {slices}; label it")


def write_volume(voxels: np.ndarray, affine: np.ndarray, path: Path) -> None:
    """Write a gzipped NIfTI file with the affine as qform and sform. Nothing else of the source's header is kept."""
    file = nib.Nifti1Image(voxels, affine, dtype=voxels.dtype)
    file.set_qform(affine, code="scanner")
    file.set_sform(affine, code="scanner")
    file.header.set_xyzt_units("mm")
    path.write_bytes(pack(file))
