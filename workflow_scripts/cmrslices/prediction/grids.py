"""A label map of another tool is brought onto the grid of its image: decided by the headers, never by the content."""

from pathlib import Path
from typing import NamedTuple, cast

import nibabel as nib
import numpy as np

from cmrslices.cohorts.convert.geometry import TOLERANCE_PX, corner_distance_px
from cmrslices.cohorts.convert.nifti_header import has_lost_header, has_lost_spacing, read_grid
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import DAMAGES, LPS_OF_RAS, open_image


class LabelMap(NamedTuple):
    """A label map as a file holds it.

    Attributes
    ----------
    voxels : (x, y, z) array
    affine : (4, 4) array
        Voxel index to RAS, mm; orthonormal directions.
    notes : tuple of str
        What was understood although it is not usual, in words that can be counted.
    """

    voxels: np.ndarray
    affine: np.ndarray
    notes: tuple[str, ...]


def read_label_map(path: Path) -> LabelMap:
    """Read the label map of any tool; its header is read, and repaired, as conversion does.

    Parameters
    ----------
    path : Path
        A NIfTI file with three axes; further axes must have the length 1.

    Raises
    ------
    InputError
        The file is damaged, has another number of axes, or its header contradicts itself.
    """
    try:
        file = cast(nib.Nifti1Image, open_image(path))
        if len(file.shape) < 3 or set(file.shape[3:]) - {1}:
            raise InputError(f"{path}: {_size(file.shape)} voxels; write one label map of three axes for each case")
        voxels = np.asanyarray(file.dataobj)
        affine, repairs = read_grid(file, path)
    except InputError:
        raise
    except DAMAGES as fault:
        reason = " ".join(str(fault).split())
        raise InputError(f"{path}: damaged, or not what its name says ({reason}); write it again") from None
    notes = tuple(repairs)
    if voxels.ndim > 3:
        voxels, notes = voxels.reshape(voxels.shape[:3]), (*notes, "further-axis-removed")
    if voxels.dtype.kind == "b":
        voxels = voxels.astype(np.uint8)
    if voxels.dtype.kind not in "iuf":
        raise InputError(f"{path}: voxels of type {voxels.dtype}; write label values")
    if voxels.dtype.kind == "f":
        notes = (*notes, "labels-as-decimals")
    return LabelMap(voxels, affine, notes)


def on_grid(given: LabelMap, affine: np.ndarray, shape: tuple[int, ...], path: Path) -> LabelMap:
    """Bring a label map onto a grid that has the same voxels, perhaps in another order.

    Conversion may have reversed the slices of the raw image, and tools reorder axes. The voxels' places in space decide
    how they are put back. Two habits of writers are understood where the places then agree: x and y with the signs of
    LPS (ITK) instead of RAS (NIfTI), and a spacing of 1 mm in all directions in place of the image's.

    Parameters
    ----------
    given : LabelMap
    affine : (4, 4) array
        Of the grid, RAS, mm.
    shape : tuple of int
        Voxels of the grid along its axes.
    path : Path
        Named in the error.

    Returns
    -------
    LabelMap
        On the grid, with notes about what was done.

    Raises
    ------
    InputError
        The label map has other voxels than the grid.
    """
    for note, header in _headers(given.affine, affine):
        order = nib.io_orientation(np.linalg.inv(affine) @ header)
        voxels = nib.apply_orientation(given.voxels, order)
        moved = header @ nib.orientations.inv_ornt_aff(order, given.voxels.shape)
        if voxels.shape == shape and corner_distance_px(affine, moved, shape) <= TOLERANCE_PX:
            return LabelMap(voxels, affine, (*given.notes, *filter(None, [note, _order_note(order)])))
    raise InputError(f"{path}: {_difference(given, affine, shape)}")


def _headers(affine: np.ndarray, grid: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Readings of a header, the plain one first, each with the note about it."""
    readings = [("", affine), ("signs-of-LPS", LPS_OF_RAS @ affine)]
    if has_lost_spacing(affine, grid):
        order = nib.io_orientation(np.linalg.inv(_directions(grid)) @ _directions(affine))
        spacing_mm = np.linalg.norm(grid[:3, :3], axis=0)[order[:, 0].astype(int)]
        spaced = affine.copy()
        spaced[:3, :3] *= spacing_mm
        readings.append(("spacing-of-the-image", spaced))
    return readings


def _directions(affine: np.ndarray) -> np.ndarray:
    directions = np.eye(4)
    directions[:3, :3] = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return directions


def _order_note(order: np.ndarray) -> str:
    if (order == [[0, 1], [1, 1], [2, 1]]).all():
        return ""
    return "slices-reversed" if (order == [[0, 1], [1, 1], [2, -1]]).all() else "axes-reordered"


def _difference(given: LabelMap, affine: np.ndarray, shape: tuple[int, ...]) -> str:
    if sorted(given.voxels.shape) != sorted(shape):
        return (
            f"{_size(given.voxels.shape)} voxels, but the image has {_size(shape)}; resample the label map to the "
            "image with nearest neighbour"
        )
    if has_lost_header(given.affine, affine):
        return "its header was lost, so that nothing tells where its voxels lie; copy the image's geometry onto it"
    if given.voxels.shape != shape:
        return (
            f"{_size(given.voxels.shape)} voxels, but the image has {_size(shape)}, and the header does not tell how "
            "the axes were exchanged; write the label map on the image's grid"
        )
    apart_px = corner_distance_px(affine, given.affine, shape)
    return (
        f"its grid lies up to {apart_px:.2g} pixels off the image's; resample it to the image with nearest neighbour, "
        "or copy the image's geometry onto it if only its header is wrong"
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
