"""The short-axis contours of a cvi42 workspace, read as a stream."""

import math
import re
from array import array
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NoReturn, TypeVar
from xml.parsers import expat

import numpy as np

from cmrslices.runtime.errors import InputError

ImageKey = tuple[str, int | None]
"""SOPInstanceUID, and the frame's index from 0 in an enhanced multi-frame file, else None."""

Value = TypeVar("Value")

BORDERS = {
    "LV endocardium": ("saendocardialContour", "saendocardialOpenContour"),
    "LV epicardium": ("saepicardialContour", "saepicardialOpenContour"),
    "RV endocardium": ("sarvendocardialContour",),
}
"""Names of the short-axis contours of each border, the closed one first."""

NAMES = frozenset(chain.from_iterable(BORDERS.values()))

UNUSED = re.compile(
    r"la[a-z].*"  # long axis: laendocardialContour, lalaContour, larvepicardialContour, laxLvExtentPoints
    r"|sapapilMuscContour|sarvepicardialContour|bloodPoolContour"
    r"|.*(?:Enhancement|NoReflow|Scar|ReferenceMyo).*Contour"
    r"|.*Roi(?:Contour)?"  # freeDrawRoiContour, lineRoiContour
    r"|.*(?:RefPoint|ExtentPoint|Marker|Diameter|Length|Distance|Angle|Measurement)s?"
    r"|apexEpiLv|AV|MV|TV|PV",
    re.IGNORECASE,
)
"""Names, without their number, of what is drawn in cvi42 but belongs to no label: long axis, papillary muscles, RV
epicardium, blood pool, enhancement and its reference, regions of interest, reference points, markers and measurements.
They are those in public readers of the format, and others of the same kinds."""

SHOWN = re.compile(r"[A-Za-z](?:[A-Za-z_]|[0-9](?![0-9])){0,39}")
"""A contour's name that messages may repeat: a short word without numbers of several digits, such as dates."""

NUMBERED = re.compile(r"(.+?)[ _]?(?:\[[0-9]{1,6}\]|[0-9]{1,6})")
"""Name of a numbered contour, such as ``saendocardialContour0001`` or ``saendocardialContour[0001]``."""

FRAME_OF_FILE = re.compile(r"([0-9.]+)(?:[#:|_-]| frame )([0-9]{1,6})")
"""An image's key that names one frame of an enhanced multi-frame file: UID and frame number."""

SIZES = frozenset({"ImageSize", "PixelSize", "PixelSpacing"})
"""Keys of what a workspace states about an image, at the image or at a contour on it: two numbers each."""

UNSET = (-1.0, -1.0)
"""Size that the library Qt, in which cvi42 is written, stores where none was set."""

STUDY_UIDS = frozenset({"StudyUid", "StudyInstanceUid", "StudyInstanceUID"})

DEEPEST = 64
"""Most levels of nesting that are accepted; a contour's point lies at about the tenth."""

LARGEST_BYTES = 2**30
"""Largest file that is read; real workspaces have some megabytes."""

LONGEST_TAG_BYTES = 2**20
"""Longest tag or comment that is accepted, because the parser holds it in memory."""

CHUNK_BYTES = 2**18

EXPORT = "export the workspace from cvi42 again"

OTHER_FORMS = {
    r"\.cvi42wsx?.*\.(zip|gz|7z|rar)$": "unzip it, so that the .cvi42wsx file lies in the folder",
    r"\.cvi42wsx": "rename it, so that its name ends in .cvi42wsx",
    r"\.cvi42ws": "cvi42's binary form cannot be read: export the workspace from cvi42 as .cvi42wsx",
    r"\.zip$": "unzip it, so that the .cvi42wsx file lies in the folder",
    r"\.xml$": "if it is the workspace, rename it, so that its name ends in .cvi42wsx",
}
"""Patterns of the names of files that may hold the workspace in another form, the likeliest first, with the remedy."""


@dataclass(frozen=True)
class StatedSize:
    """What a workspace says about the size of an image or of its pixels.

    Attributes
    ----------
    key : str
        One of `SIZES`.
    values : tuple of float
        As they are stored, usually width and height; empty if they are no numbers.
    line : int
        Line of the file.
    """

    key: str
    values: tuple[float, ...]
    line: int


@dataclass(frozen=True)
class Workspace:
    """What the workflow reads from a workspace.

    Attributes
    ----------
    contours : dict
        Image to its short-axis contours by name, each (n, 2) float64: x and y in pixels; a whole number is a pixel's
        centre.
    sizes : dict
        Image to what the workspace states about its size and its pixels.
    studies : dict
        Image to the StudyInstanceUIDs of the lists that hold it; never printed.
    unknown : dict
        Image to the names of its contours that are neither read nor in `UNUSED`.
    """

    contours: dict[ImageKey, dict[str, np.ndarray]]
    sizes: dict[ImageKey, list[StatedSize]]
    studies: dict[ImageKey, set[str]]
    unknown: dict[ImageKey, set[str]]

    def only(self, images: Container[ImageKey]) -> "Workspace":
        """Keep what belongs to these images."""
        return Workspace(
            contours=_only(self.contours, images),
            sizes=_only(self.sizes, images),
            studies=_only(self.studies, images),
            unknown=_only(self.unknown, images),
        )


def _only(of_images: dict[ImageKey, Value], images: Container[ImageKey]) -> dict[ImageKey, Value]:
    return {image: value for image, value in of_images.items() if image in images}


def find_workspace(folder: Path) -> Path:
    """Find the one ``.cvi42wsx`` file of a patient, anywhere below the folder.

    Hidden files, such as the companions that macOS leaves, do not count.

    Raises
    ------
    InputError
        There is none, or more than one. If there is a workspace of another form, the message says what to do with it.
    """
    paths = sorted(path for path in folder.rglob("*") if path.name[0] != ".")
    found = [path for path in paths if path.suffix.lower() == ".cvi42wsx" and path.is_file()]
    if not found:
        raise InputError(f"the study: no .cvi42wsx workspace in the patient's folder; {_other_form(paths, folder)}")
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise InputError(f"the study: {len(found)} workspaces ({names}); keep the one with the final contours")
    return found[0]


def _other_form(paths: list[Path], folder: Path) -> str:
    """Remedy where there is no ``.cvi42wsx`` file: it names the file that is there instead, if there is one."""
    for pattern, remedy in OTHER_FORMS.items():
        named = [path for path in paths if re.search(pattern, path.name, re.IGNORECASE) and path.is_file()]
        if named:
            return f"there is {', '.join(str(path.relative_to(folder)) for path in named)}: {remedy}"
    return "put the exported workspace there"


def read_workspace(path: Path) -> Workspace:
    """Read the short-axis contours of a workspace, and what it states about their images.

    The tree is ``StudyMapStates`` > list > ``ImageStates`` > image > ``Contours`` > name > ``Points`` and
    ``SubpixelResolution``, as in ukbb_cardiac (Bai et al. 2018) and other public readers. Beside ``ImageStates`` stands
    ``StudyUid``; beside ``Points`` stand ``ImageSize`` and ``PixelSize``. Prefixes of tags need no
    declaration. The other contours of `UNUSED` (papillary muscles, long axis, free drawing, right-ventricular
    epicardium) are left out, and so are contours without points; contours of any other name are listed. A numbered
    contour (``saendocardialContour0001``) is a further piece of the same border, and is read under its own name. A
    contour of an image may occur in several lists of ``StudyMapStates`` if it is the same in all of them.

    The vendor does not document how a workspace names a frame of an enhanced multi-frame file. Assumed is the UID,
    followed by one of ``#``, ``:``, ``|``, ``_``, ``-`` or the word ``frame`` between blanks, and the frame's number,
    counted from 1.

    The file is streamed, so that only the contours and one piece of the file are in memory. A DOCTYPE is refused, so
    that no entity is expanded or fetched. Absurd sizes, depths of nesting and lengths of tags are refused too.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Workspace

    Raises
    ------
    InputError
        The file is no readable XML, has no short-axis contour, or has a contour at fault. The message gives the line of
        the fault. It repeats no text of the file, but it may name contours that are not understood.
    """
    reader = _Reader(path.name)
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise InputError(f"{path.name}: more than {LARGEST_BYTES // 2**20} MiB, no workspace; {EXPORT}")
        with path.open("rb") as file:
            reader.read(iter(lambda: file.read(CHUNK_BYTES), b""))
    except OSError:
        raise InputError(f"{path.name}: the file cannot be read; mend its permissions or fetch it again") from None
    if not reader.contours:
        found = "no contour" if not reader.named else "no short-axis contour of a ventricle"
        names = ", ".join(sorted(NAMES))
        strange = describe_unknown(reader.unknown.values())
        note = f"; {strange}" if strange else ""
        raise InputError(f"{path.name}: {found} in the workspace; draw and save them ({names}){note}")
    return Workspace(reader.contours, reader.sizes, reader.studies, reader.unknown)


def describe_unknown(names: Iterable[Iterable[str]]) -> str:
    """Count and name the contours that are not understood; empty if there is none.

    Parameters
    ----------
    names : iterable of iterables of str
        For each image, the names of its contours that are not understood.

    Examples
    --------
    >>> describe_unknown([{"saXyz", "saXyz0001"}, {"saXyz", "a name; with a sign"}])
    '4 contours not understood: saXyz, another name'
    """
    found = [border_name(name) for of_image in names for name in of_image]
    shown = {name if SHOWN.fullmatch(name) else "another name" for name in found}
    if not found:
        return ""
    listed = ", ".join(sorted(shown, key=lambda name: (" " in name, name)))
    return f"{len(found)} contour{'s' if len(found) > 1 else ''} not understood: {listed}"


@dataclass
class _Contour:
    """A contour that is being read; ``wanted`` if it is one of a border."""

    image: ImageKey
    name: str
    line: int
    depth: int
    wanted: bool
    resolution: str | None = None
    stated_points: int | None = None
    drawn: bool = False
    x: array = field(default_factory=lambda: array("d"))
    y: array = field(default_factory=lambda: array("d"))


@dataclass
class _Size:
    """A stated size that is being read."""

    image: ImageKey
    key: str
    line: int
    depth: int
    texts: list[str] = field(default_factory=list)


class _Reader:
    """The parser's handlers: they follow the path of keys and keep the short-axis contours."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.contours: dict[ImageKey, dict[str, np.ndarray]] = {}
        self.sizes: dict[ImageKey, list[StatedSize]] = {}
        self.studies: dict[ImageKey, set[str]] = {}
        self.unknown: dict[ImageKey, set[str]] = {}
        self.named = False
        self._path: list[str] = []
        self._rooted = False
        self._contour: _Contour | None = None
        self._size: _Size | None = None
        self._listed: set[ImageKey] = set()
        self._study = ""
        self._lines: dict[tuple[ImageKey, str], int] = {}
        self._text: list[str] = []
        # Without handling of namespaces, an undeclared prefix is no error.
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def read(self, chunks: Iterable[bytes]) -> None:
        fed, final = 0, False
        try:
            for chunk in chunks:
                fed += len(chunk)
                self._parser.Parse(chunk)
                if fed - self._parser.CurrentByteIndex > CHUNK_BYTES + LONGEST_TAG_BYTES:
                    self._fail(f"a tag of more than {LONGEST_TAG_BYTES // 2**20} MiB")
            final = True
            self._parser.Parse(b"", True)
        except InputError:
            raise
        except (expat.ExpatError, LookupError, ValueError):
            # The text of the parser's error may quote the file.
            if not fed:
                raise InputError(f"{self.file}: the file is empty; {EXPORT}") from None
            if not self._rooted:
                raise InputError(f"{self.file}: not XML; {EXPORT}") from None
            self._fail("truncated XML" if final else "damaged XML")

    def _fail(self, fault: str, remedy: str = EXPORT, line: int | None = None) -> NoReturn:
        line = self._parser.CurrentLineNumber if line is None else line
        raise InputError(f"{self.file}: line {line}: {fault}; {remedy}")

    def _refuse_doctype(self, *_declaration: object) -> NoReturn:
        self._fail("a DOCTYPE, which no workspace has")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        path = self._path
        path.append(_key(attributes) if attributes else _local(tag))
        self._rooted = True
        if len(path) > DEEPEST:
            self._fail(f"more than {DEEPEST} levels of nesting")
        self._text.clear()
        if self._size is not None:
            return
        if path[-1] in SIZES:
            self._open_size()
        elif self._contour is not None:
            if self._contour.depth == len(path) - 1 and path[-1] == "Points":
                self._contour.stated_points = _count(attributes)
        elif len(path) > 3 and path[-2] == "Contours" and path[-4] == "ImageStates":
            self.named = True
            self._open(path[-3], path[-1])
        elif _is_study_uid(path):
            self._keep_text()

    def _open(self, key: str, name: str) -> None:
        line = self._parser.CurrentLineNumber
        wanted = border_name(name) in NAMES
        image = _image_key(key)
        if image is None:
            if wanted:
                self._fail("an image's key names frame 0; frames are counted from 1")
            return
        self._listed.add(image)
        self._contour = _Contour(image, name, line, len(self._path), wanted)
        self._keep_text()

    def _open_size(self) -> None:
        """Begin to read a stated size: of an image, or of a contour on it; elsewhere, the key means something else."""
        path = self._path
        place = next((up for up in (3, 5) if len(path) >= up and path[-up] == "ImageStates"), None)
        image = _image_key(path[1 - place]) if place else None
        if image is not None and (place == 3 or path[-3] == "Contours"):
            self._size = _Size(image, path[-1], self._parser.CurrentLineNumber, len(path))
            self._keep_text()

    def _keep_text(self) -> None:
        self._parser.CharacterDataHandler = self._text.append

    def _end(self, _tag: str) -> None:
        item = self._path.pop()
        size, contour = self._size, self._contour
        if size is not None:
            size.texts.append("".join(self._text))
            self._text.clear()
            if len(self._path) < size.depth:
                self._close_size(size)
        elif contour is not None:
            self._end_in_contour(contour, item)
        elif _is_study_uid([*self._path, item]):
            self._study = "".join(self._text).strip()
            self._parser.CharacterDataHandler = None
        elif self._path[-1:] == ["StudyMapStates"]:
            self._close_study()

    def _end_in_contour(self, contour: _Contour, item: str) -> None:
        below = len(self._path) - contour.depth
        if below < 0:
            self._close(contour)
        elif below == 2 and self._path[contour.depth] == "Points" and item in ("x", "y"):
            contour.drawn = True
            if contour.wanted:
                getattr(contour, item).append(self._number())
        elif below == 1 and self._path[contour.depth] == "Points" and len(contour.x) != len(contour.y):
            self._fail("a point without one x and one y")
        elif below == 0 and item == "SubpixelResolution":
            contour.resolution = "".join(self._text)

    def _number(self) -> float:
        number = _finite("".join(self._text))
        if number is None:
            self._fail("a point's coordinate is no number")
        return number

    def _close_study(self) -> None:
        """End a list of ``StudyMapStates``: its ``StudyUid`` may stand before or behind its images."""
        if self._study:
            for image in self._listed:
                self.studies.setdefault(image, set()).add(self._study)
        self._listed, self._study = set(), ""

    def _close_size(self, size: _Size) -> None:
        self._size = None
        if self._contour is None:
            self._parser.CharacterDataHandler = None
        # Width and height stand in items of their own; two numbers in one text are understood too.
        texts = [text for text in size.texts if text.strip()]
        parts = re.split(r"[\s;,x]+", texts[0].strip()) if len(texts) == 1 else texts
        numbers = [number for part in parts if (number := _finite(part)) is not None]
        values = tuple(numbers) if len(numbers) == len(parts) == 2 else ()
        if values != UNSET:
            self.sizes.setdefault(size.image, []).append(StatedSize(size.key, values, size.line))

    def _close(self, contour: _Contour) -> None:
        self._contour = None
        self._parser.CharacterDataHandler = None
        if not contour.wanted:
            if contour.drawn and not UNUSED.fullmatch(border_name(contour.name)):
                self.unknown.setdefault(contour.image, set()).add(contour.name)
            return
        if contour.stated_points not in (None, len(contour.x)):
            counts = f"states {contour.stated_points} points and holds {len(contour.x)}"
            self._fail(f"{contour.name} {counts}", EXPORT, contour.line)
        if not contour.drawn:
            return
        points_px = np.column_stack([contour.x, contour.y]) / self._resolution(contour)
        if len(points_px) < 3:
            self._fail(f"{contour.name} of fewer than 3 points", "delete or redraw it", contour.line)
        first = self._lines.setdefault((contour.image, contour.name), contour.line)
        known = self.contours.setdefault(contour.image, {}).setdefault(contour.name, points_px)
        if not np.array_equal(known, points_px):
            self._fail(f"another {contour.name} of the image of line {first}", "delete one of the two", contour.line)

    def _resolution(self, contour: _Contour) -> float:
        if contour.resolution is None:
            self._fail(f"{contour.name} without SubpixelResolution", EXPORT, contour.line)
        number = _finite(contour.resolution)
        if number is None or number <= 0:
            self._fail(f"the SubpixelResolution of {contour.name} is no positive number", EXPORT, contour.line)
        if not number.is_integer():
            fault = f"the SubpixelResolution of {contour.name} is {number:g}, which is no whole number"
            self._fail(fault, EXPORT, contour.line)
        return number


def border_name(name: str) -> str:
    """Name of a contour without its number: the further pieces of a border are numbered.

    Examples
    --------
    >>> border_name("sarvendocardialContour0001"), border_name("sarvendocardialContour")
    ('sarvendocardialContour', 'sarvendocardialContour')
    """
    numbered = NUMBERED.fullmatch(name)
    return numbered[1] if numbered else name


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _key(attributes: dict[str, str]) -> str:
    return next((value for name, value in attributes.items() if _local(name) == "key"), "")


def _count(attributes: dict[str, str]) -> int | None:
    """Number of points that the list of a contour's points states; ``Hash:count`` counts something else."""
    stated = attributes.get("List:count", "").strip()
    return int(stated) if re.fullmatch("[0-9]{1,9}", stated) else None


def _is_study_uid(path: list[str]) -> bool:
    return path[-1] in STUDY_UIDS and path[-3:-2] == ["StudyMapStates"]


def _image_key(key: str) -> ImageKey | None:
    parts = FRAME_OF_FILE.fullmatch(key.strip())
    if parts is None:
        return key.strip(), None
    frame = int(parts[2]) - 1
    return None if frame < 0 else (parts[1], frame)


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    # Python reads 1_5 as 15; nobody else does.
    return number if math.isfinite(number) and "_" not in text else None
