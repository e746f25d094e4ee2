"""The one reader of the workflow's own NIfTI files: a file is read whole and undamaged, or it is named.

SimpleITK, and nnU-Net with it, fills with zeros what is missing of a truncated file, and does not compare the content
with its checksum.
"""

import gzip
import io
import zlib
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from cmrslices.runtime.errors import InputError

LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
PIECE_BYTES = 2**20
METRE, MICRON = 1, 3
"""Codes of units of space in a NIfTI header that are not mm."""


class Volume(NamedTuple):
    """A volume on its grid, as SimpleITK describes it.

    Attributes
    ----------
    voxels : (slices, rows, columns) array
    spacing_mm : (3,) array
        Distance of the voxels' centres along x (columns), y (rows) and z (slices).
    origin_mm : (3,) array
        Centre of the first voxel, LPS.
    direction : (3, 3) array
        Directions of x, y and z, LPS; a column each.
    """

    voxels: np.ndarray
    spacing_mm: np.ndarray
    origin_mm: np.ndarray
    direction: np.ndarray


def read_volume(path: str | Path) -> Volume:
    """Read a gzipped 3D NIfTI file in one pass, which compares the content with gzip's checksum and length.

    Parameters
    ----------
    path : path
        A file that the workflow made: ``.nii.gz``.

    Raises
    ------
    InputError
        The file is missing, truncated, damaged, or no gzipped 3D NIfTI.
    """
    try:
        content = io.BytesIO(gzip.decompress(Path(path).read_bytes()))
        header = nib.Nifti1Header.from_fileobj(content)
        voxels = header.data_from_fileobj(content).T
    except (OSError, EOFError, ValueError, zlib.error, HeaderDataError, WrapStructError) as fault:
        raise _unreadable(path, " ".join(str(fault).split())) from None
    if voxels.ndim != 3:
        raise _unreadable(path, f"{voxels.ndim}D, where 3D is needed")
    mm = unit_mm(header)
    spacing_mm = np.array(header.get_zooms(), dtype=np.float64) * mm
    affine = LPS_OF_RAS @ np.diag([mm, mm, mm, 1.0]) @ header.get_best_affine()
    return Volume(voxels, spacing_mm, affine[:3, 3], affine[:3, :3] / spacing_mm)


def unit_mm(header: nib.spatialimages.SpatialHeader) -> float:
    """Millimetres in the header's unit of space, as SimpleITK reads it: a unit that is not known, or not given, is mm.

    Headers of other formats than NIfTI have no unit.

    Examples
    --------
    >>> header = nib.Nifti1Header()
    >>> header.set_xyzt_units("micron")
    >>> unit_mm(header), unit_mm(nib.Nifti1Header())
    (0.001, 1.0)
    """
    if not isinstance(header, nib.Nifti1Header):  # such as Analyze
        return 1.0
    code = int(header["xyzt_units"]) % 8
    return {METRE: 1000.0, MICRON: 0.001}.get(code, 1.0)


def check_volume(path: str | Path) -> None:
    """Refuse a file that `read_volume` cannot read; called before nnU-Net reads the file itself.

    Raises
    ------
    InputError
        As in `read_volume`.
    """
    read_volume(path)


def check_gzip(path: str | Path) -> None:
    """Compare the content of a gzipped file of any size with gzip's checksum and length, piece by piece.

    Raises
    ------
    OSError, EOFError, zlib.error
        The file cannot be read, is truncated or damaged.
    """
    with gzip.open(path) as content:
        while content.read(PIECE_BYTES):
            pass


def _unreadable(path: str | Path, reason: str) -> InputError:
    # The whole folder: a converted file has a second name in its folder `finished`, from which it would be taken again.
    return InputError(f"{path}: cannot be read ({reason}); delete the folder of its cohort and run the workflow again")
