"""What a format finds in its raw folder: patients, their two cases, and where the files are."""

import contextlib
import csv
import hashlib
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING

from cmrslices.runtime.errors import InputError

if TYPE_CHECKING:
    from cmrslices.cohorts.convert.volumes import PatientStacks


DEBRIS = {"__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found", "system volume information"}
"""Folders, in small letters, that macOS, Windows and network drives leave between those of the patients."""


@dataclass(frozen=True)
class RawCase:
    """One phase of one patient.

    Attributes
    ----------
    phase : str
        ED or ES.
    image, label : Path
        NIfTI files, 3D, or 4D (x, y, z, time).
    frame : int or None
        Index along the time axis of both 4D files, from 0; None where the files are 3D.
    """

    phase: str
    image: Path
    label: Path
    frame: int | None = None


@dataclass(frozen=True)
class RawPatient:
    """One patient as found: with two cases, or with the reason why there are none.

    Attributes
    ----------
    name : str
        As the folder's name or the CSV spells it.
    source : Path
        The patient's folder, or the CSV that lists the patient.
    cases : tuple of RawCase
        Empty where the format finds them only when it reads the patient's folder.
    group, vendor : str
        Pathology group and scanner vendor; empty where unknown.
    excluded : str
        Why the patient is left out; empty if the patient is not.
    fault : str
        Why the patient's cases cannot be found: file, fault and remedy; empty if they can.
    """

    name: str
    source: Path
    cases: tuple[RawCase, ...] = ()
    group: str = ""
    vendor: str = ""
    excluded: str = ""
    fault: str = ""


def source_files(patient: RawPatient) -> list[Path]:
    """Files from which a patient is read: those of the cases, or all in the folder where no case is listed."""
    if patient.cases:
        return [part for case in patient.cases for path in (case.image, case.label) for part in file_parts(path)]
    return [Path(place, file) for place, _, files in os.walk(patient.source) for file in files]


def file_parts(path: Path) -> list[Path]:
    """Files of one volume: two where the header (``.hdr``) and the voxels (``.img``) are apart.

    Examples
    --------
    >>> [part.name for part in file_parts(Path("heart.hdr"))]
    ['heart.hdr', 'heart.img']
    """
    pair = (".hdr", ".img")
    ending = next((end for end in (*pair, ".hdr.gz", ".img.gz") if path.name.endswith(end)), "")
    if not ending:
        return [path]
    stem, zipped = path.name.removesuffix(ending), ".gz" if ending.endswith(".gz") else ""
    return [path.with_name(stem + end + zipped) for end in pair]


def read_nifti_patient(patient: RawPatient, label_map: dict[str, int]) -> "PatientStacks":
    """Read ED and ES of a patient whose files are NIfTI: `read_patient` of the formats that use NIfTI."""
    from cmrslices.cohorts.convert.volumes import read_nifti_stacks  # here, so that a dry run loads no NumPy

    return read_nifti_stacks(patient, label_map)


def read_rows(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV as text; every row is a dict from column to cell.

    Raises
    ------
    InputError
        The file is missing, is no CSV, or lacks one of the required columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file, strict=True)]
    except FileNotFoundError:
        raise InputError(f"{path}: the CSV is missing; it lists the cohort's patients") from None
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError(f"{path}: not a readable CSV ({fault}); save it as comma-separated UTF-8 text") from None
    columns, rows = (lines[0], lines[1:]) if lines else ([], [])
    other = next((mark for mark in (";", "\t") if mark in "".join(columns)), None)
    if other and len(columns) < len(required):
        shown = "tabs" if other == "\t" else "semicolons"
        raise InputError(f"{path}: its columns are separated by {shown}; save it with commas")
    missing = [column for column in required if column not in columns]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}, only {', '.join(columns)}; add it")
    ragged = [number for number, row in enumerate(rows, 1) if any(row) and len(row) != len(columns)]
    if ragged:
        raise InputError(f"{path}: row {ragged[0]} has not the {len(columns)} cells of the header; mend its commas")
    nameless = [number for number, row in enumerate(rows, 1) if any(row) and not row[columns.index(required[0])]]
    if nameless:
        raise InputError(f"{path}: row {nameless[0]}: a patient has no name; give it one")
    return [dict(zip(columns, row, strict=True)) for row in rows if any(row)]  # Excel saves empty rows too


def content_name(path: Path) -> str:
    """Name of a file with a digest of its content. The content itself may hold what must not be written elsewhere."""
    return f"{shown_name(path.name)} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def path_inside(folder: Path, text: str) -> Path:
    """Full path of a file that a CSV names relative to the cohort's folder.

    Raises
    ------
    InputError
        The text is empty, is an absolute path, contains ``..``, or a link leads out of the folder.
    """
    absolute = PurePath(text).is_absolute() or PureWindowsPath(text).is_absolute()
    if not text or absolute or ".." in PureWindowsPath(text).parts:
        raise InputError(f"the path '{text}' leads out of the folder; give it relative to {folder}, without '..'")
    # Windows separates folders by backslashes, and macOS writes accented letters as two characters.
    slashed = text.replace("\\", "/")
    spellings = [text, slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))]
    path = next((folder / spelling for spelling in spellings if (folder / spelling).exists()), folder / slashed)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"the path '{text}' is a link out of the folder; copy the file into {folder}")
    return path


def folder_names(folder: str | Path) -> list[str]:
    r"""Names of the folders in a folder, sorted, without hidden ones and debris; empty where the folder does not exist.

    Bytes of a name that are no UTF-8 are written as ``\xNN``; no file is found under such a name.
    """
    # Without a Path object for each entry, because every dry run lists thousands of them.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()]
        kept = [name for name in names if name.lower() not in DEBRIS]
        return sorted(map(shown_name, kept))
    return []


def shown_name(name: str) -> str:
    r"""Name of a file as it can be printed: bytes that are no UTF-8 are written as ``\xNN``.

    Examples
    --------
    >>> print(shown_name("M\udcfcller.csv"))
    M\xfcller.csv
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def frame_number(text: str, first: int) -> int:
    """Read the frame number that a source gives as text.

    Parameters
    ----------
    text : str
    first : int
        Number of the source's first frame: 0 or 1.

    Raises
    ------
    InputError
        The text is no whole number, or the number is smaller than the first frame's.
    """
    if not text.isdecimal() or int(text) < first:
        raise InputError(f"'{text}' is no frame number; frames are counted from {first}")
    return int(text)
