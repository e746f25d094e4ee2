"""Headers of a study's DICOM files: position and time of each MR image, and the scanner."""

import contextlib
import logging
import math
import os
import re
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from operator import mul
from pathlib import Path
from typing import TypeVar, cast

from pydicom import config, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from cmrslices.cohorts.convert.cvi42.workspace import ImageKey
from cmrslices.runtime.errors import InputError

MR_IMAGES = {MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage}

CLOCKS = (
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "TemporalPositionIdentifier",
    "PhaseNumber",
    "AcquisitionTime",
    "InstanceNumber",
)
"""Attributes by which the frames of a slice may be ordered in time, the most reliable first.

Siemens and GE write the trigger time; Philips writes the trigger time or a private phase number; enhanced objects have
the nominal delay; Canon writes the temporal position, or only the instance number.
"""

PHASE_NUMBER = 0x20011008
"""Philips' private cardiac phase."""

PHASE_IMAGES = {"P", "PHASE", "PHASE MAP", "VELOCITY", "VELOCITY MAP", "R", "REAL", "I", "IMAGINARY"}
"""Values of ImageType and ComplexImageComponent that mark an image as not showing the magnitude."""

VENDORS = {
    "SIEMENS": "Siemens",
    r"\bGE\b|GENERAL ELECTRIC": "GE",
    "PHILIPS": "Philips",
    "CANON|TOSHIBA": "Canon",
}

GROUPED = {
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "ComplexImageComponent": ("MRImageFrameTypeSequence", "ComplexImageComponent"),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "ImagePositionPatient": ("PlanePositionSequence", "ImagePositionPatient"),
    "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
    "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
    "RescaleSlope": ("PixelValueTransformationSequence", "RescaleSlope"),
    "RescaleIntercept": ("PixelValueTransformationSequence", "RescaleIntercept"),
    "TriggerTime": ("UnassignedPerFrameConvertedAttributesSequence", "TriggerTime"),
    "NominalCardiacTriggerDelayTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
    "AcquisitionTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
}
"""Attributes of a single image, each with the functional group and attribute that hold it in an enhanced object."""

BINARY = {"Rows": "H", "Columns": "H", "PixelRepresentation": "H", "NominalCardiacTriggerDelayTime": "d"}
"""Attributes that are stored as numbers, each with its code in `struct`."""

KEYWORDS = (
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "AcquisitionTime",
    "Manufacturer",
    "ManufacturerModelName",
    "ComplexImageComponent",
    "MagneticFieldStrength",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "TemporalPositionIdentifier",
    "Rows",
    "Columns",
    "PixelSpacing",
    "PixelRepresentation",
    "RescaleIntercept",
    "RescaleSlope",
    "EncryptedAttributesSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
TAGS = {keyword: Tag(keyword) for keyword in KEYWORDS} | {"PhaseNumber": Tag(PHASE_NUMBER)}

Default = TypeVar("Default", float, None)


@dataclass(frozen=True)
class Frame:
    """One image of a study.

    Attributes
    ----------
    file : str
        Relative to the patient's folder.
    key : ImageKey
        By which contours name the image; never printed.
    series : str
        SeriesInstanceUID; never printed.
    series_number, acquisition_number : int
        They grow in the order of scanning; -1 where unknown.
    image_type : tuple of str
        The kind of image as the scanner's maker describes it; never printed.
    position_mm : tuple of 3 float
        Centre of the first voxel, LPS.
    orientation : tuple of 6 float
        Direction in which the column number grows, then direction in which the row number grows, LPS.
    spacing_mm : tuple of 2 float
        Distance between rows, distance between columns.
    matrix : tuple of 2 int
        Rows, columns.
    clocks : tuple of float or None
        Value of each attribute of `CLOCKS`; None where the image has none.
    rescale : tuple of 2 float
        Slope and intercept of the modality transformation.
    """

    file: str
    key: ImageKey
    series: str
    series_number: int
    acquisition_number: int
    image_type: tuple[str, ...]
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    matrix: tuple[int, ...]
    clocks: tuple[float | None, ...]
    rescale: tuple[float, float]

    @property
    def is_magnitude(self) -> bool:
        """Whether the image shows the magnitude, and not phase or velocity."""
        return PHASE_IMAGES.isdisjoint(self.image_type[2:])


@dataclass(frozen=True)
class Scanner:
    """The scanner that made most of a study's images.

    Attributes
    ----------
    vendor : str
        Siemens, GE, Philips, Canon or other.
    model : str
        At most 32 letters, digits, blanks and hyphens.
    field_strength_t : float or None
        In tesla; None where unknown.
    """

    vendor: str
    model: str
    field_strength_t: float | None


def read_frames(folder: Path) -> tuple[list[Frame], Scanner, tuple[str, ...]]:
    """Read the headers of all MR images below a folder, each once and without its pixels.

    DICOM files are recognised by their content. Skipped are other files, other objects (DICOMDIR, reports, presentation
    states, secondary captures), MR images without a position in space, hidden files and symbolic links.

    Parameters
    ----------
    folder : Path
        The patient's folder.

    Returns
    -------
    frames : list of Frame
        In the order of the files' paths.
    scanner : Scanner
    notes : tuple of str
        ``duplicated-files-N``: N files repeat an image of another file, and do not count.

    Raises
    ------
    InputError
        There is no MR image; a file named ``.dcm`` is no DICOM; a header is cut off or encrypted; an image has no
        pixels; two different images have the same SOPInstanceUID.
    """
    frames: dict[ImageKey, Frame] = {}
    scanners: Counter[Scanner] = Counter()
    duplicates = 0
    with silence_pydicom():
        for path in _files(folder):
            name = path.relative_to(folder).as_posix()
            header = _read_header(path, name)
            if header is None:
                continue
            found = _frames(header, name)
            if not found and "EncryptedAttributesSequence" in header:
                raise InputError(f"{name}: its attributes are encrypted; export the study without encryption")
            fresh = [frame for frame in found if _is_fresh(frame, frames)]
            duplicates += bool(found) and not fresh
            frames.update((frame.key, frame) for frame in fresh)
            if fresh:
                scanners[_scanner(header)] += 1
    if not frames:
        raise InputError(
            "the study: no MR image among its files (links are not followed); put the exported DICOM files there"
        )
    notes = (f"duplicated-files-{duplicates}",) if duplicates else ()
    return list(frames.values()), scanners.most_common(1)[0][0], notes


@contextlib.contextmanager
def silence_pydicom() -> Iterator[None]:
    """Stop pydicom's warnings and log messages, because they repeat what headers say about the patient."""
    logger = logging.getLogger("pydicom")
    propagate, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.propagate = propagate


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(names) if not name.startswith(".")):
            if path.is_file() and not path.is_symlink():
                yield path


def _refuse(_fault: OSError) -> None:
    raise InputError("the study: a folder of it cannot be read; mend its permissions")


def _read_header(path: Path, name: str) -> FileDataset | None:
    """Header of an MR image; None for any other file."""
    try:
        with path.open("rb") as file:
            if not _looks_like_dicom(file.read(132)):
                if path.suffix.lower() == ".dcm":
                    raise InputError(f"{name}: named .dcm, but no DICOM file; remove it or export it again")
                return None
            file.seek(0)
            try:
                header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(TAGS.values()))
            except Exception:  # pydicom raises errors of many types, whose texts repeat the header
                raise InputError(f"{name}: the DICOM header is cut off or damaged; export it again") from None
            at_pixels = file.read(2) in (b"\xe0\x7f", b"\x7f\xe0")
            beyond_end = file.tell() > path.stat().st_size
    except OSError:
        raise InputError(f"{name}: the file cannot be read; mend its permissions or export it again") from None
    reaches_pixels = at_pixels or header.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    cut_off = not reaches_pixels and (beyond_end or _ends_within_value(header))
    storage = _text(header, "SOPClassUID") or str(header.file_meta.get("MediaStorageSOPClassUID", ""))
    if storage and storage not in MR_IMAGES and not cut_off:
        return None
    if reaches_pixels:
        return header
    if cut_off or not _stored(header, "PixelRepresentation"):
        raise InputError(f"{name}: the DICOM header is cut off; export it again")
    raise InputError(f"{name}: a DICOM image without pixel data; export it again with its pixels")


def _ends_within_value(header: FileDataset) -> bool:
    elements = chain(header.elements(), header.file_meta.elements())
    stored = (element for element in elements if isinstance(element, RawDataElement))
    return any(element.value and len(element.value) < element.length for element in stored)


def _looks_like_dicom(start: bytes) -> bool:
    """Whether a file begins as DICOM does: as in part 10 of the standard, or as a bare data set with group 2 or 8."""
    return start[128:] == b"DICM" or (start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00")


def _is_fresh(frame: Frame, frames: dict[ImageKey, Frame]) -> bool:
    known = frames.get(frame.key)
    if known and known != replace(frame, file=known.file):
        raise InputError(f"{frame.file}: another image than {known.file}, under the same UID; export the study again")
    return not known


def _frames(header: FileDataset, name: str) -> list[Frame]:
    uid = _text(header, "SOPInstanceUID")
    if _text(header, "SOPClassUID") == MRImageStorage:
        return _frame(partial(_stored, header), (uid, None), name)
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    frames = []
    for index, own in enumerate(per_frame):
        frames += _frame(partial(_grouped, header, (own, shared[0]), index), (uid, index), name)
    return frames


def _frame(values: Callable[[str], list], key: ImageKey, name: str) -> list[Frame]:
    """Make a frame from a function that gives the values of a keyword; an empty list if it has no position in space."""
    position, orientation, spacing = (
        _floats(values(keyword)) for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    )
    matrix = tuple(int(size) for keyword in ("Rows", "Columns") for size in values(keyword))
    if not (_is_geometry(position, orientation, spacing) and len(matrix) == 2 and key[0]):
        return []
    frame = Frame(
        file=name,
        key=key,
        series="".join(values("SeriesInstanceUID")),
        series_number=int(_first(values("SeriesNumber"), -1)),
        acquisition_number=int(_first(values("AcquisitionNumber"), -1)),
        image_type=(*values("ImageType"), *values("ComplexImageComponent")),
        position_mm=position,
        orientation=orientation,
        spacing_mm=spacing,
        matrix=matrix,
        clocks=tuple(_first(values(keyword), None) for keyword in CLOCKS),
        rescale=(_first(values("RescaleSlope"), 1.0), _first(values("RescaleIntercept"), 0.0)),
    )
    return [frame]


def _is_geometry(position: tuple, orientation: tuple, spacing: tuple) -> bool:
    """Whether the three define a grid in space, with axes of length 1 at a right angle."""
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        return False
    row, column = orientation[:3], orientation[3:]
    lengths = math.hypot(*row), math.hypot(*column)
    return math.isclose(math.prod(lengths), 1, abs_tol=0.01) and abs(sum(map(mul, row, column))) < 0.01


def _stored(header: Dataset, keyword: str) -> list:
    """Values of a top-level attribute as they are stored: text, or a number where the attribute is binary.

    This takes a third of the time of pydicom's own conversion, which matters with hundreds of headers per study.
    """
    element = cast("RawDataElement | None", header.get_item(TAGS[keyword]))
    if element is None or not element.value:
        return []
    if keyword in BINARY:
        code = BINARY[keyword]
        order = "<" if element.is_little_endian else ">"
        return [struct.unpack_from(order + code, element.value)[0]]
    return [value.strip(" \0") for value in element.value.decode("latin-1").split("\\")]


def _grouped(header: Dataset, groups: tuple[Dataset, Dataset], index: int, keyword: str) -> list:
    """Values for one frame of an enhanced object: from its own group, the group of all frames, or the file's top."""
    if keyword == "InstanceNumber":
        return [index]
    if keyword not in GROUPED:
        return _stored(header, keyword)
    sequence, attribute = GROUPED[keyword]
    for group in groups:
        value = next((item.get(attribute) for item in group.get(sequence) or ()), None)
        if value is not None:
            # Frames are ordered by the time of day, so the eight digits of the date are cut off.
            return list(value) if isinstance(value, MultiValue) else [value[8:] if "DateTime" in attribute else value]
    return []


def _text(header: Dataset, keyword: str) -> str:
    return next(iter(_stored(header, keyword)), "")


def _floats(values: list) -> tuple[float, ...]:
    """Values as numbers; an empty tuple if one of them is no finite number."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def _first(values: list, default: Default) -> float | Default:
    return next(iter(_floats(values)), default)


def _scanner(header: Dataset) -> Scanner:
    maker = _text(header, "Manufacturer").upper()
    vendor = next((name for pattern, name in VENDORS.items() if re.search(pattern, maker)), "other")
    model = " ".join(re.sub(r"[^A-Za-z0-9 -]", " ", _text(header, "ManufacturerModelName")).split())
    return Scanner(vendor, model[:32], _field_strength_t(_first(_stored(header, "MagneticFieldStrength"), None)))


def _field_strength_t(stored: float | None) -> float | None:
    """Field strength in tesla; some GE scanners store gauss. None if no scanner has such a field strength."""
    if stored is None:
        return None
    tesla = stored / 10_000 if stored >= 1000 else stored
    return round(tesla, 2) if 0 < tesla <= 12 else None
