"""Pixels of one frame of a DICOM file."""

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import parse_fragments
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cmrslices.cohorts.convert.cvi42.headers import Frame, silence_pydicom
from cmrslices.runtime.errors import InputError

KEYWORDS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
]
REQUIRED = {"SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "PixelRepresentation"}

SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0"

TYPES = (np.int16, np.uint16, np.int32)
"""Types for rescaled values that are all whole: the first one that can hold them is used."""


def read_pixels(folder: Path, frame: Frame) -> np.ndarray:
    """Read the grey values of one frame.

    From an enhanced multi-frame file, only this frame is read and decoded. Slope and intercept are applied. An image of
    the kind MONOCHROME1, in which large values are dark, is inverted within the stored bits.

    Parameters
    ----------
    folder : Path
        The patient's folder.
    frame : Frame

    Returns
    -------
    (x, y) array
        Column and row. The stored type if nothing is rescaled; otherwise an integer type if all values are whole, and
        float32 if not.

    Raises
    ------
    InputError
        The file is gone, has no pixel data or not all of them, is in colour, or has a transfer syntax that cannot be
        decoded.
    """
    try:
        with silence_pydicom(), (folder / frame.file).open("rb") as file:
            header, stored = _read_stored(file, frame)
    except OSError:
        raise InputError(f"{frame.file}: the file cannot be read; mend its permissions or export it again") from None
    if header.PhotometricInterpretation == "MONOCHROME1":
        stored = _invert(stored, header)
    return _rescale(stored.astype(stored.dtype.newbyteorder("=")), *frame.rescale).T


def _read_stored(file: BinaryIO, frame: Frame) -> tuple[FileDataset, np.ndarray]:
    """Read the header elements that describe the pixels, and the (row, column) values as stored."""
    try:
        header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=KEYWORDS)
        syntax = header.file_meta.get("TransferSyntaxUID") or _bare_syntax(header)
        if syntax == DeflatedExplicitVRLittleEndian:
            # Header and pixels are one compressed stream, in which no position can be sought.
            file.seek(0)
            file = io.BytesIO(dcmread(file, specific_tags=KEYWORDS).get("PixelData") or b"")
    except Exception:  # pydicom raises errors of many types, whose texts repeat the header
        raise InputError(f"{frame.file}: the DICOM header is cut off or damaged; export it again") from None
    length = file.getbuffer().nbytes if isinstance(file, io.BytesIO) else _seek_value(file, header)
    if not length:
        raise InputError(f"{frame.file}: a DICOM image without pixel data; export it again with its pixels")
    if any(keyword not in header for keyword in REQUIRED) or header.SamplesPerPixel != 1:
        raise InputError(f"{frame.file}: no grey-scale image; export the original images")
    decoder = _find_decoder(syntax, frame.file)
    options = as_pixel_options(header, pixel_keyword="PixelData")
    index = frame.key[1] or 0
    if not (_holds_fragments(file) if syntax.is_encapsulated else _holds_frame(file, length, index, options)):
        raise InputError(f"{frame.file}: the pixel data are cut off; export it again")
    try:
        return header, decoder.as_array(file, index=index, **options)[0]
    except Exception:  # decoders raise errors of many types
        raise InputError(f"{frame.file}: the pixel data ({syntax.name}) are damaged; export it again") from None


def _bare_syntax(header: FileDataset) -> UID:
    """Transfer syntax of a file without the header group that names it."""
    is_implicit, _ = header.original_encoding
    return ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian


def _seek_value(file: BinaryIO, header: FileDataset) -> int:
    """Move to the value of the pixel element and return the value's length in bytes; 0 if there is no such element."""
    is_implicit, is_little_endian = header.original_encoding
    order = "<" if is_little_endian else ">"
    start = file.read(8 if is_implicit else 12)
    if start[:4] != struct.pack(f"{order}HH", 0x7FE0, 0x0010) or len(start) not in (8, 12):
        return 0
    return struct.unpack(f"{order}L", start[-4:])[0]


def _find_decoder(syntax: UID, file: str) -> Decoder:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        decoder = None
    if decoder is None or not decoder.is_available:
        name = syntax.name if syntax.name != syntax else "an unknown one"
        raise InputError(
            f"{file}: no decoder for its transfer syntax ({name}); decompress the study with dcmdjpeg or "
            "`gdcmconv --raw`, or export it uncompressed"
        )
    return decoder


def _holds_frame(file: BinaryIO, length: int, index: int, options: dict) -> bool:
    """Whether both the element and the file reach to the end of an uncompressed frame."""
    start = file.tell()
    held = min(length, file.seek(0, io.SEEK_END) - start)
    file.seek(start)
    return held * 8 >= (index + 1) * options["rows"] * options["columns"] * options["bits_allocated"]


def _holds_fragments(file: BinaryIO) -> bool:
    """Whether the last fragment of compressed pixels is followed by the mark that ends the sequence."""
    start = file.tell()
    try:
        _, offsets = parse_fragments(file)
        file.seek(offsets[-1] + 4)
        file.seek(struct.unpack("<L", file.read(4))[0], io.SEEK_CUR)
        return file.read(4) == SEQUENCE_DELIMITER
    except (ValueError, IndexError, struct.error):
        return False
    finally:
        file.seek(start)


def _invert(stored: np.ndarray, header: FileDataset) -> np.ndarray:
    """Exchange light and dark: v becomes -1 - v where values are signed, else the largest value minus v."""
    return ~stored if header.PixelRepresentation else (2**header.BitsStored - 1 - stored).astype(stored.dtype)


def _rescale(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    if (slope, intercept) == (1, 0):
        return stored
    rescaled = stored * slope + intercept
    if (rescaled == np.rint(rescaled)).all():
        for integer in TYPES:
            if np.iinfo(integer).min <= rescaled.min() and rescaled.max() <= np.iinfo(integer).max:
                return rescaled.astype(integer)
    return rescaled.astype(np.float32)
