"""Headers of a study's DICOM files: position and time of each MR image, and the scanner."""

import contextlib
import logging
import math
import os
import re
import struct
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from pydicom import config, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MediaStorageDirectoryStorage,
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
    "StudyInstanceUID",
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
    "NumberOfFrames",
    "EncryptedAttributesSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
TAGS = {keyword: Tag(keyword) for keyword in KEYWORDS} | {"PhaseNumber": Tag(PHASE_NUMBER)}

GEOMETRY = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2, "Rows": 1, "Columns": 1}
"""Attributes without which an image has no place in space, each with its count of numbers."""

OPTIONAL_NUMBERS = (
    *("MagneticFieldStrength", "SeriesNumber", "AcquisitionNumber"),
    *(clock for clock in CLOCKS if clock != "PhaseNumber"),
)
"""Attributes that the workflow can do without: what is no number there is noted, and does not count."""

RESCALING = ("RescaleSlope", "RescaleIntercept")

PLAIN_FILES = ("not DICOM", "empty", "linked", "hidden DICOM")
"""Kinds of files that are set aside and are no DICOM objects."""

PLAIN_NUMBERS = re.compile(r"[0-9.,+eE \\-]{1,80}")
"""Text of a header that messages may repeat: nothing but numbers, perhaps with decimal commas."""

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


@dataclass(frozen=True)
class Unplaced:
    """An MR image that has no place in space, because its header lacks it or is damaged.

    Attributes
    ----------
    file : str
        Relative to the patient's folder.
    key : ImageKey
        By which contours name the image; never printed.
    series : str
        SeriesInstanceUID; never printed.
    problems : dict of str to str
        Attribute to what is wrong with it, such as ``no PixelSpacing`` or ``PixelSpacing '1,5' (not 2 numbers)``.
    known : dict
        The fields of `Frame` on its geometry that can be read.
    """

    file: str
    key: ImageKey
    series: str
    problems: dict[str, str]
    known: dict[str, Any]


class StudyHeaders(NamedTuple):
    """What the headers of a study say.

    Attributes
    ----------
    frames : list of Frame
        In the order of the files' paths.
    scanner : Scanner
    notes : tuple of str
        ``duplicated-files-N``: N files repeat an image of another file, and do not count.
        ``KIND-files-set-aside-N``: N files hold no MR image; KIND is ``not-DICOM``, ``empty``, ``linked``,
        ``hidden-DICOM`` or the kind of DICOM object. ``unreadable-ATTRIBUTE-in-N-files``: the value is no number, and
        is not used.
    unplaced : list of Unplaced
        MR images without a place in space.
    repeats : list of (Frame, Frame)
        Images that occur in two files under one UID and with one header. Their pixels have not been compared.
    studies : frozenset of str
        StudyInstanceUIDs of all MR images; never printed.
    """

    frames: list[Frame]
    scanner: Scanner
    notes: tuple[str, ...]
    unplaced: list[Unplaced]
    repeats: list[tuple[Frame, Frame]]
    studies: frozenset[str]


class _Image(NamedTuple):
    """An image, its optional attributes that are no numbers, and what is wrong with its values for rescaling."""

    image: Frame | Unplaced
    unreadable: frozenset[str]
    rescaling: dict[str, str]


class _SetAside(Exception):
    """A file holds no MR image; the argument is the kind of the file, empty if no finding is needed."""


def read_frames(folder: Path) -> StudyHeaders:
    """Read the headers of all MR images below a folder, each once and without its pixels.

    DICOM files are recognised by their content. Set aside, and counted in the notes, are other files, other DICOM
    objects (reports, presentation states, secondary captures) and symbolic links. Not counted are hidden folders,
    hidden files that are not DICOM, an index of the files (``DICOMDIR``) and the workspace.

    Parameters
    ----------
    folder : Path
        The patient's folder.

    Raises
    ------
    InputError
        There is no MR image with a place in space; a file named ``.dcm`` is no DICOM; a header is cut off or encrypted;
        an image has no pixels; a value for rescaling is no number; two different images have the same SOPInstanceUID.
    """
    study = _Study()
    with silence_pydicom():
        for path in _files(folder):
            name = path.relative_to(folder).as_posix()
            if path.name.startswith("."):
                study.set_aside["hidden DICOM" if _is_dicom(path) else ""] += 1
                continue
            if path.is_symlink():
                study.set_aside["" if _is_workspace(path) else "linked"] += 1
                continue
            try:
                study.add(_read_header(path, name), name)
            except _SetAside as reason:
                study.set_aside[str(reason)] += 1
    return study.finish()


class _Study:
    """What has been read of a study so far."""

    def __init__(self) -> None:
        self.frames: dict[ImageKey, Frame] = {}
        self.unplaced: list[Unplaced] = []
        self.repeats: list[tuple[Frame, Frame]] = []
        self.studies: set[str] = set()
        self.scanners: Counter[Scanner] = Counter()
        self.set_aside: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.conflicts: list[tuple[Frame, Frame]] = []
        self.rescaling: list[tuple[str, dict[str, str]]] = []
        self.duplicates = 0

    def add(self, header: FileDataset, name: str) -> None:
        """Add the images of a file."""
        self.studies.add(_text(header, "StudyInstanceUID"))
        found, fresh = [], []
        unreadable: set[str] = set()
        for image, not_numbers, rescaling in _images(header, name):
            unreadable |= not_numbers
            if rescaling:
                self.rescaling.append((name, rescaling))
            if isinstance(image, Unplaced):
                self.unplaced.append(image)
                continue
            found.append(image)
            known = self.frames.setdefault(image.key, image)
            if known is image:
                fresh.append(image)
            elif known == replace(image, file=known.file):
                self.repeats.append((known, image))
            else:
                self.conflicts.append((known, image))
        if not found and "EncryptedAttributesSequence" in header:
            raise InputError(f"{name}: its attributes are encrypted; export the study without encryption")
        self.unreadable.update(unreadable)
        self.duplicates += bool(found) and not fresh
        if fresh:
            self.scanners[_scanner(header)] += 1

    def finish(self) -> StudyHeaders:
        """Refuse what makes the study unusable, and sum up."""
        if self.conflicts:
            raise another_image(self.conflicts, "another image")
        if self.rescaling:
            raise InputError(f"{describe_problems(self.rescaling)}; export the original images again")
        if not self.frames:
            raise self._without_images()
        notes = [f"duplicated-files-{self.duplicates}"] if self.duplicates else []
        kinds = sorted((kind, count) for kind, count in self.set_aside.items() if kind)
        notes += [f"{kind.replace(' ', '-')}-files-set-aside-{count}" for kind, count in kinds]
        notes += [f"unreadable-{keyword}-in-{count}-files" for keyword, count in sorted(self.unreadable.items())]
        scanner = self.scanners.most_common(1)[0][0]
        studies = frozenset(self.studies - {""})
        return StudyHeaders(list(self.frames.values()), scanner, tuple(notes), self.unplaced, self.repeats, studies)

    def _without_images(self) -> InputError:
        if self.unplaced:
            return InputError(
                f"the study: none of its MR images has a place in space: {describe_unplaced(self.unplaced)}; "
                "export the original images again"
            )
        others = [f"{count} {'file is' if count == 1 else 'files are'} {kind}" for kind, count in self._other_objects()]
        if others:
            return InputError(
                f"the study: no MR image among its files; {', '.join(others)}, not MR images: "
                "export the original DICOM series"
            )
        return InputError(
            "the study: no MR image among its files (links are not followed); put the exported DICOM files there"
        )

    def _other_objects(self) -> list[tuple[str, int]]:
        return [(kind, count) for kind, count in self.set_aside.most_common() if kind not in ("", *PLAIN_FILES)]


def describe_unplaced(images: Sequence[Unplaced]) -> str:
    """Say why images have no place in space, and how many files are concerned."""
    return describe_problems([(image.file, image.problems) for image in images])


def describe_problems(images: Sequence[tuple[str, dict[str, str]]]) -> str:
    """Say how many files have which problem with which attribute, for the most frequent problem.

    The text begins with the name of the first of these files.

    Parameters
    ----------
    images : sequence of (str, dict)
        For each image, its file, and attributes to what is wrong with them.
    """
    groups: dict[tuple[str, ...], list[tuple[str, dict[str, str]]]] = defaultdict(list)
    for file, problems in images:
        groups[tuple(problems)].append((file, problems))
    largest = max(groups.values(), key=len)
    first, problems = largest[0]
    files = len({file for file, _ in largest})
    others = len({file for file, _ in images}) - files
    such = " and ".join(problems.values())
    also = f", and {others} other{'s have' if others > 1 else ' has'} similar faults" if others > 0 else ""
    return f"{first}: {files} {'file has' if files == 1 else 'files have'} {such}{also}"


def another_image(pairs: Sequence[tuple[Frame, Frame]], what: str) -> InputError:
    """Make the fault of files that hold another image than an earlier file, although under its UID."""
    known, other = pairs[0]
    count = len({image.file for _, image in pairs})
    files = "1 file is so" if count == 1 else f"{count} files are so"
    return InputError(f"{other.file}: {what} than {known.file}, under the same UID ({files}); export the study again")


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
    """All files below a folder, and links; hidden folders, such as the snapshots of a server, are left out."""
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for path in (Path(parent, name) for name in sorted(names) + links):
            if path.is_file() or path.is_symlink():
                yield path


def _refuse(_fault: OSError) -> None:
    raise InputError("the study: a folder of it cannot be read; mend its permissions")


def _read_header(path: Path, name: str) -> FileDataset:
    """Header of an MR image; `_SetAside` is raised for any other file."""
    try:
        with path.open("rb") as file:
            if not _looks_like_dicom(file.read(132)):
                if path.suffix.lower() == ".dcm":
                    raise InputError(f"{name}: named .dcm, but no DICOM file; remove it or export it again")
                raise _SetAside(_kind_of_plain_file(path))
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
        raise _SetAside(_kind_of_object(UID(storage)))
    if reaches_pixels:
        return header
    if cut_off or not _stored(header, "PixelRepresentation"):
        raise InputError(f"{name}: the DICOM header is cut off; export it again")
    raise InputError(f"{name}: a DICOM image without pixel data; export it again with its pixels")


def _is_dicom(path: Path) -> bool:
    """Whether a hidden file is an image after all, and not what an operating system leaves."""
    try:
        with path.open("rb") as file:
            return _looks_like_dicom(file.read(132))
    except OSError:
        return False


def _is_workspace(path: Path) -> bool:
    return path.suffix.lower() == ".cvi42wsx"


def _kind_of_plain_file(path: Path) -> str:
    if _is_workspace(path):
        return ""
    return "not DICOM" if path.stat().st_size else "empty"


def _kind_of_object(storage: UID) -> str:
    """Kind of a DICOM object in words; empty for an index of files. An unknown UID is not repeated."""
    if storage == MediaStorageDirectoryStorage:
        return ""
    if storage.name == storage:
        return "other DICOM"
    words = re.sub(r"[^A-Za-z0-9]+", " ", storage.name).replace(" Storage", "").replace(" Image", "")
    return "Secondary Capture" if "Secondary Capture" in words else words.strip()


def _ends_within_value(header: FileDataset) -> bool:
    elements = chain(header.elements(), header.file_meta.elements())
    stored = (element for element in elements if isinstance(element, RawDataElement))
    return any(element.value and len(element.value) < element.length for element in stored)


def _looks_like_dicom(start: bytes) -> bool:
    """Whether a file begins as DICOM does: as in part 10 of the standard, or as a bare data set with group 2 or 8."""
    return start[128:] == b"DICM" or (start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00")


def _images(header: FileDataset, name: str) -> Iterator[_Image]:
    """Give each image of a file."""
    uid = _text(header, "SOPInstanceUID")
    storage = _text(header, "SOPClassUID") or str(header.file_meta.get("MediaStorageSOPClassUID", ""))
    if storage == MRImageStorage:
        yield _image(partial(_stored, header), (uid, None), name)
        return
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    if not per_frame:
        keyword = "PerFrameFunctionalGroupsSequence" if storage else "SOPClassUID"
        series = _text(header, "SeriesInstanceUID")
        yield _Image(Unplaced(name, (uid, None), series, {keyword: f"no {keyword}"}, {}), frozenset(), {})
    stated = _floats(_stored(header, "NumberOfFrames"))
    if per_frame and stated and stated[0] != len(per_frame):
        raise InputError(
            f"{name}: NumberOfFrames is {stated[0]:g}, but the header describes {len(per_frame)} frames; "
            "export it again"
        )
    for index, own in enumerate(per_frame):
        yield _image(partial(_grouped, header, (own, shared[0]), index), (uid, index), name)


def _image(values: Callable[[str], list], key: ImageKey, name: str) -> _Image:
    """Make an image from a function that gives the values of a keyword."""
    stored = {keyword: values(keyword) for keyword in (*GEOMETRY, *RESCALING, *OPTIONAL_NUMBERS, "PhaseNumber")}
    numbers = {keyword: _floats(found) for keyword, found in stored.items()}
    not_numbers = {keyword for keyword, found in stored.items() if found and not numbers[keyword]}
    unreadable = frozenset(not_numbers.intersection(OPTIONAL_NUMBERS))
    rescaling = {
        keyword: f"{keyword} {_shown(stored[keyword])} (no number)" for keyword in RESCALING if keyword in not_numbers
    }
    problems = {keyword: problem for keyword in GEOMETRY if (problem := _problem(keyword, stored[keyword]))}
    if not key[0]:
        problems["SOPInstanceUID"] = "no SOPInstanceUID"
    series = "".join(values("SeriesInstanceUID"))
    orientation, spacing_mm = numbers["ImageOrientationPatient"], numbers["PixelSpacing"]
    matrix = tuple(int(size) for keyword in ("Rows", "Columns") for size in numbers[keyword])
    if problems:
        known = {
            **({} if "ImageOrientationPatient" in problems else {"orientation": orientation}),
            **({} if "PixelSpacing" in problems else {"spacing_mm": spacing_mm}),
            **({} if {"Rows", "Columns"} & problems.keys() else {"matrix": matrix}),
        }
        return _Image(Unplaced(name, key, series, problems, known), unreadable, rescaling)
    frame = Frame(
        file=name,
        key=key,
        series=series,
        series_number=int(_first(stored["SeriesNumber"], -1)),
        acquisition_number=int(_first(stored["AcquisitionNumber"], -1)),
        image_type=(*values("ImageType"), *values("ComplexImageComponent")),
        position_mm=numbers["ImagePositionPatient"],
        orientation=orientation,
        spacing_mm=spacing_mm,
        matrix=matrix,
        clocks=tuple(_first(stored[keyword], None) for keyword in CLOCKS),
        rescale=(_first(stored["RescaleSlope"], 1.0), _first(stored["RescaleIntercept"], 0.0)),
    )
    return _Image(frame, unreadable, rescaling)


def _problem(keyword: str, stored: list) -> str:
    """What is wrong with an attribute of the geometry; empty if nothing is."""
    if not stored:
        return f"no {keyword}"
    numbers, count = _floats(stored), GEOMETRY[keyword]
    if len(numbers) != count:
        comma = "a decimal comma, " if "," in "".join(map(str, stored)) else ""
        return f"{keyword} {_shown(stored)} ({comma}not {count} number{'s' if count > 1 else ''})"
    if keyword in ("PixelSpacing", "Rows", "Columns") and min(numbers) <= 0:
        return f"{keyword} {_shown(stored)} (not positive)"
    if keyword == "ImageOrientationPatient" and not _is_orthonormal(numbers):
        return f"{keyword} {_shown(stored)} (not two directions at a right angle)"
    return ""


def _shown(stored: list) -> str:
    """Stored values as a message may repeat them."""
    text = "\\".join(map(str, stored))
    return f"'{text}'" if PLAIN_NUMBERS.fullmatch(text) else "of other characters than numbers"


def _is_orthonormal(orientation: tuple[float, ...]) -> bool:
    """Whether the two axes have length 1 and a right angle between them."""
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
    text = element.value.decode("latin-1").strip(" \0")
    return [value.strip(" \0") for value in text.split("\\")] if text else []


def _grouped(header: Dataset, groups: tuple[Dataset, Dataset], index: int, keyword: str) -> list:
    """Values for one frame of an enhanced object: from its own group, the group of all frames, or the file's top."""
    if keyword == "InstanceNumber":
        return [index]
    if keyword not in GROUPED:
        return _stored(header, keyword)
    sequence, attribute = GROUPED[keyword]
    for group in groups:
        value = next((_item_value(item, attribute) for item in group.get(sequence) or ()), None)
        if value is not None and value != "":
            # Frames are ordered by the time of day, so the eight digits of the date are cut off.
            return list(value) if isinstance(value, MultiValue) else [value[8:] if "DateTime" in attribute else value]
    return []


def _item_value(item: Dataset, attribute: str) -> Any:
    """Value of an attribute in a functional group; the stored text where it is not of the attribute's type."""
    try:
        return item.get(attribute)
    except (ValueError, TypeError, ArithmeticError):
        raw = cast("RawDataElement", item.get_item(Tag(attribute)))
        return MultiValue(str, (raw.value or b"").decode("latin-1").strip(" \0").split("\\"))


def _text(header: Dataset, keyword: str) -> str:
    return next(iter(_stored(header, keyword)), "")


def _floats(values: list) -> tuple[float, ...]:
    """Values as numbers; an empty tuple if one of them is no finite number."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()
    # Python reads 1_5 as 15; nobody else does.
    if any("_" in value for value in values if isinstance(value, str)):
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
