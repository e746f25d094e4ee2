"""What a NIfTI header says: read as SimpleITK reads it, or a fault where the header contradicts itself."""

from pathlib import Path

import nibabel as nib
import numpy as np

from cmrslices.cohorts.convert.geometry import corner_distance_mm, repair_affine
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import unit_mm

RELATIVE = 1e-3
"""Spacings count as the same up to this share of them."""

ORIGIN_MM = 0.1
CORNERS_MM = 1.0
"""Sform and qform count as the same if they put the first voxel, and all corners, at places that are at most this far
apart. The corners have more room, because a qform stores directions as a quaternion of 32 bits: in 9,000 random
directions, it moved the corners of a stack of 400 mm by up to 0.7 mm."""

PLAUSIBLE_MM = (0.05, 100.0)
"""Smallest and largest spacing of a cardiac stack, with much room: anything else is a wrong unit."""

SHEAR_DEGREES = 5.0
"""Axes that are further from right angles are no rounding, and cannot be repaired without moving the heart."""

WORDS = {1: "metre", 2: "millimetre", 3: "micron"}
"""The units of space in a NIfTI header, by their code. Other codes mean mm, as in SimpleITK."""


def read_grid(file: nib.Nifti1Image, path: Path) -> tuple[np.ndarray, list[str]]:
    """Affine of a file in mm, with the spacing that SimpleITK reads.

    SimpleITK takes the spacing from pixdim and the directions from the sform or the qform. It prefers one or the other
    by their codes and by whether they fit pixdim, so that a header whose parts contradict each other is refused here.

    Parameters
    ----------
    file : nibabel image
        NIfTI or Analyze, 3D or 4D.
    path : Path
        Named in the error.

    Returns
    -------
    affine : (4, 4) array
        Voxel index to RAS, mm; orthonormal directions.
    repairs : list of str
        As `repair_affine` gives them.

    Raises
    ------
    InputError
        The spacing or affine is not finite and positive, or cannot be that of a heart in the header's unit; the axes do
        not span space, or are far from right angles; pixdim, sform and qform disagree; an intercept of the values has
        no slope.
    """
    header = file.header
    mm = unit_mm(header)
    spacing_mm = np.array(header.get_zooms()[:3], dtype=np.float64) * mm
    affine = _in_mm(file.affine, mm)
    if not (np.isfinite(affine).all() and np.isfinite(spacing_mm).all() and (spacing_mm > 0).all()):
        raise InputError(f"{path}: the header's spacing or affine is not finite and positive; correct the header")
    if np.linalg.matrix_rank(affine) < 4:
        raise InputError(f"{path}: the header's axes do not span space; correct the header")
    if isinstance(header, nib.Nifti1Header):
        _check_as_stored(file, path)
        _check_unit(header, spacing_mm, path)
        _check_forms(header, spacing_mm, mm, path)
        if not (header["sform_code"] > 0 or header["qform_code"] > 0):
            affine = np.diag([-spacing_mm[0], -spacing_mm[1], spacing_mm[2], 1.0])  # as SimpleITK
    _check_angles(affine, path)
    return repair_affine(affine, spacing_mm)


def has_lost_header(affine: np.ndarray, other: np.ndarray) -> bool:
    """Whether an affine is what a tool writes that knows no geometry, while the other affine is not.

    Such tools write the axes of the scanner, and a spacing of 1 mm in all directions or an origin of 0.

    Parameters
    ----------
    affine, other : (4, 4) array
        Voxel index to RAS, mm; of two files that should share a grid.

    Examples
    --------
    >>> has_lost_header(np.eye(4), np.diag([-1.5, -1.5, 8.0, 1.0]))
    True
    >>> has_lost_header(np.diag([-1.4, -1.4, 8.0, 1.0]), np.diag([-1.5, -1.5, 8.0, 1.0]))
    False
    """
    return has_lost_spacing(affine, other) or (_has_no_place(affine) and not _has_no_place(other))


def has_lost_spacing(affine: np.ndarray, other: np.ndarray) -> bool:
    """Whether an affine has the axes of the scanner and a spacing of 1 mm in all directions, and the other has not."""
    return _has_no_spacing(affine) and not _has_no_spacing(other)


def _has_no_spacing(affine: np.ndarray) -> bool:
    return bool(np.allclose(np.abs(affine[:3, :3]), np.eye(3), atol=RELATIVE))


def _has_no_place(affine: np.ndarray) -> bool:
    directions = np.abs(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.allclose(directions, np.eye(3), atol=RELATIVE) and not affine[:3, 3].any())


def _in_mm(affine: np.ndarray, mm: float) -> np.ndarray:
    scaled = np.array(affine, dtype=np.float64)
    scaled[:3] *= mm
    return scaled


def _check_as_stored(file: nib.Nifti1Image, path: Path) -> None:
    # nibabel corrects these values without a word when it loads a file.
    with file.file_map["header" if "header" in file.file_map else "image"].get_prepare_fileobj() as stream:
        stored = type(file.header).from_fileobj(stream, check=False)
    if not (stored["pixdim"][1:4] > 0).all():
        raise InputError(f"{path}: the header's spacing or affine is not finite and positive; correct the header")
    for name in ("sform_code", "qform_code"):
        if stored[name] != file.header[name]:
            raise InputError(f"{path}: its header is damaged ({name} is {int(stored[name])}); export it again")
    slope, intercept = float(stored["scl_slope"]), float(stored["scl_inter"])
    if not (np.isfinite(slope) and slope) and np.isfinite(intercept) and intercept:
        raise InputError(
            f"{path}: the header adds {intercept:g} to all values (scl_inter), but has no slope (scl_slope is "
            f"{slope:g}), so that readers differ; set scl_slope to 1, or scl_inter to 0"
        )


def _check_unit(header: nib.Nifti1Header, spacing_mm: np.ndarray, path: Path) -> None:
    smallest, largest = PLAUSIBLE_MM
    if spacing_mm.min() < smallest or spacing_mm.max() > largest:
        unit = WORDS.get(int(header["xyzt_units"]) % 8, "not given, so that it is millimetre")
        raise InputError(
            f"{path}: voxels of {_shown(spacing_mm)} mm cannot be those of a heart; the header's unit (xyzt_units) is "
            f"{unit}: correct the unit or the spacing"
        )


def _check_forms(header: nib.Nifti1Header, spacing_mm: np.ndarray, mm: float, path: Path) -> None:
    if not header["sform_code"] > 0:
        return
    sform = _in_mm(header.get_sform(), mm)
    of_sform_mm = np.linalg.norm(sform[:3, :3], axis=0)
    same_spacing = np.allclose(of_sform_mm, spacing_mm, rtol=RELATIVE)
    spacings = f"spacing {_shown(of_sform_mm)} mm and {_shown(spacing_mm)} mm"
    if header["qform_code"] > 0:
        try:
            qform = _in_mm(header.get_qform(), mm)
        except ValueError:
            raise InputError(f"{path}: its header is damaged (the qform is no rotation); export it again") from None
        apart_mm = corner_distance_mm(sform, qform, header.get_data_shape()[:3])
        origins_mm = np.linalg.norm(sform[:3, 3] - qform[:3, 3])
        if not (same_spacing and apart_mm <= CORNERS_MM and origins_mm <= ORIGIN_MM):
            raise InputError(
                f"{path}: sform and qform disagree: {spacings}, corners up to {apart_mm:.3g} mm apart; correct the "
                "wrong one, or set its code to 0"
            )
    # The files of ACDC have a sform of scale 1, no qform, and the true spacing in pixdim alone.
    elif not (same_spacing or np.allclose(of_sform_mm, mm, rtol=RELATIVE)):
        raise InputError(f"{path}: sform and pixdim disagree: {spacings}; correct the wrong one")


def _check_angles(affine: np.ndarray, path: Path) -> None:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(directions.T @ directions)[np.triu_indices(3, 1)]
    off_degrees = np.degrees(np.arcsin(min(cosines.max(), 1.0)))
    if off_degrees > SHEAR_DEGREES:
        raise InputError(
            f"{path}: the header's axes are up to {off_degrees:.2g} degrees off right angles (a sheared sform), which "
            "SimpleITK refuses; resample image and label to a grid of right angles"
        )


def _shown(spacing_mm: np.ndarray) -> str:
    return " x ".join(f"{value:.5g}" for value in spacing_mm)
