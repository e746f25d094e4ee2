"""The short-axis contours of a cvi42 workspace, read as a stream."""

import math
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import numpy as np

from cmrslices.runtime.errors import InputError

ImageKey = tuple[str, int | None]
"""SOPInstanceUID, and the frame's index from 0 in an enhanced multi-frame file, else None."""

BORDERS = {
    "LV endocardium": ("saendocardialContour", "saendocardialOpenContour"),
    "LV epicardium": ("saepicardialContour", "saepicardialOpenContour"),
    "RV endocardium": ("sarvendocardialContour",),
}
"""Names of the short-axis contours of each border, the closed one first."""

NAMES = frozenset(chain.from_iterable(BORDERS.values()))

NUMBERED = re.compile(r"(.+?)[ _]?(?:\[[0-9]{1,6}\]|[0-9]{1,6})")
"""Name of a numbered contour, such as ``saendocardialContour0001`` or ``saendocardialContour[0001]``."""

FRAME_OF_FILE = re.compile(r"([0-9.]+)(?:[#:|_-]| frame )([0-9]{1,6})")
"""An image's key that names one frame of an enhanced multi-frame file: UID and frame number."""

DEEPEST = 64
"""Most levels of nesting that are accepted; a contour's point lies at about the tenth."""

LARGEST_BYTES = 2**30
"""Largest file that is read; real workspaces have some megabytes."""

LONGEST_TAG_BYTES = 2**20
"""Longest tag or comment that is accepted, because the parser holds it in memory."""

CHUNK_BYTES = 2**18

EXPORT = "export the workspace from cvi42 again"


def find_workspace(folder: Path) -> Path:
    """Find the one ``.cvi42wsx`` file of a patient, anywhere below the folder.

    Hidden files, such as the companions that macOS leaves, do not count.

    Raises
    ------
    InputError
        There is none, or more than one.
    """
    named = (path for path in folder.rglob("*") if path.suffix.lower() == ".cvi42wsx" and path.name[0] != ".")
    found = sorted(path for path in named if path.is_file())
    if not found:
        raise InputError("the study: no .cvi42wsx workspace in the patient's folder; put the exported workspace there")
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise InputError(f"the study: {len(found)} workspaces ({names}); keep the one with the final contours")
    return found[0]


def read_workspace(path: Path) -> dict[ImageKey, dict[str, np.ndarray]]:
    """Read the short-axis contours of a workspace.

    The tree is ``StudyMapStates`` > list > ``ImageStates`` > image > ``Contours`` > name > ``Points`` and
    ``SubpixelResolution``, as in ukbb_cardiac (Bai et al. 2018) and other public readers. Prefixes of tags need no
    declaration. Other contours (papillary muscles, long axis, free drawing, right-ventricular epicardium) are left
    out, and so are contours without points. A numbered contour (``saendocardialContour0001``) is a further piece of the
    same border, and is read under its own name. A contour of an image may occur in several lists of
    ``StudyMapStates`` if it is the same in all of them.

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
    dict
        Image to its contours by name, each (n, 2) float64: x and y in pixels; a whole number is a pixel's centre.

    Raises
    ------
    InputError
        The file is no readable XML, has no short-axis contour, or has a contour at fault. The message gives the line of
        the fault and repeats no text of the file.
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
        raise InputError(f"{path.name}: {found} in the workspace; draw and save them ({names})")
    return reader.contours


@dataclass
class _Contour:
    image: ImageKey
    name: str
    line: int
    depth: int
    resolution: str | None = None
    x: array = field(default_factory=lambda: array("d"))
    y: array = field(default_factory=lambda: array("d"))


class _Reader:
    """The parser's handlers: they follow the path of keys and keep the short-axis contours."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.contours: dict[ImageKey, dict[str, np.ndarray]] = {}
        self.named = False
        self._path: list[str] = []
        self._rooted = False
        self._contour: _Contour | None = None
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
        if self._contour is not None:
            self._text.clear()
        elif len(path) > 3 and path[-2] == "Contours" and path[-4] == "ImageStates":
            self.named = True
            if border_name(path[-1]) in NAMES:
                self._open(path[-3], path[-1])

    def _open(self, key: str, name: str) -> None:
        line = self._parser.CurrentLineNumber
        image = _image_key(key)
        if image is None:
            self._fail("an image's key names frame 0; frames are counted from 1")
        self._contour = _Contour(image, name, line, len(self._path))
        self._parser.CharacterDataHandler = self._text.append

    def _end(self, _tag: str) -> None:
        item = self._path.pop()
        contour = self._contour
        if contour is None:
            return
        below = len(self._path) - contour.depth
        if below == 2 and self._path[contour.depth] == "Points" and item in ("x", "y"):
            getattr(contour, item).append(self._number())
        elif below == 1 and self._path[contour.depth] == "Points" and len(contour.x) != len(contour.y):
            self._fail("a point without one x and one y")
        elif below == 0 and item == "SubpixelResolution":
            contour.resolution = "".join(self._text)
        elif below < 0:
            self._close(contour)

    def _number(self) -> float:
        number = _finite("".join(self._text))
        if number is None:
            self._fail("a point's coordinate is no number")
        return number

    def _close(self, contour: _Contour) -> None:
        self._contour = None
        self._parser.CharacterDataHandler = None
        if not contour.x:
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
    return number if math.isfinite(number) else None
