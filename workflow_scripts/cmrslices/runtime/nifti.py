"""The one reader of the workflow's own NIfTI files: a file is read whole and undamaged, or it is named.

SimpleITK, and nnU-Net with it, fills with zeros what is missing of a truncated file, and does not compare the content
with its checksum.
"""

import io
import zlib
from pathlib import Path
from typing import NamedTuple, cast

import nibabel as nib
import numpy as np
from isal import igzip, igzip_lib
from nibabel.filebasedimages import ImageFileError
from nibabel.fileholders import FileHolder
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from cmrslices.runtime.errors import InputError

LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
HEADER_DAMAGES: tuple[type[Exception], ...] = (HeaderDataError, WrapStructError, OverflowError, MemoryError)
DAMAGES: tuple[type[Exception], ...] = (
    *(*HEADER_DAMAGES, ImageFileError, EOFError, OSError, ValueError, zlib.error),
    cast(type[Exception], igzip_lib.IsalError),  # a class, which isal's types call an instance
)
"""What nibabel and gzip raise for files that are cut off, damaged, or no image."""
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
        content = _unpacked(Path(path))
        header = nib.Nifti1Header.from_fileobj(content)
        voxels = header.data_from_fileobj(content).T
    except MemoryError:  # of a file of the workflow's own, it is the job that has too little
        raise
    except DAMAGES as fault:
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


def open_image(path: str | Path) -> nib.spatialimages.SpatialImage:
    """Open an image of another tool with nibabel, after comparing what is gzipped with its checksum, in one pass.

    Parameters
    ----------
    path : path
        NIfTI or Analyze.

    Raises
    ------
    DAMAGES
        The file cannot be read, is truncated, damaged, or no image.
    """
    image = cast(nib.spatialimages.SpatialImage, nib.load(path))
    return type(image).from_file_map({name: _unpacked_part(part) for name, part in image.file_map.items()})


def pack(image: nib.Nifti1Image) -> bytes:
    """Content of a gzipped NIfTI file; the same image gives the same bytes."""
    return igzip.compress(image.to_bytes(), mtime=0)


def _unpacked_part(part: FileHolder) -> FileHolder:
    path = Path(part.filename or "")
    gzipped = path.suffix == ".gz" and path.exists()  # Analyze has a part that may be missing
    return FileHolder(fileobj=_unpacked(path)) if gzipped else part


def _unpacked(path: Path) -> io.BytesIO:
    return io.BytesIO(igzip.decompress(path.read_bytes()))


def _unreadable(path: str | Path, reason: str) -> InputError:
    # The whole folder: a converted file has a second name in its folder `finished`, from which it would be taken again.
    return InputError(f"{path}: cannot be read ({reason}); delete the folder of its cohort and run the workflow again")
