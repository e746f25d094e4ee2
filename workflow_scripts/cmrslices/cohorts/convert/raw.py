"""What a format finds in its raw folder: patients, their two cases, and where the files are."""

import contextlib
import csv
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cmrslices.runtime.errors import InputError

if TYPE_CHECKING:
    from cmrslices.cohorts.convert.volumes import PatientStacks


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
        return [path for case in patient.cases for path in (case.image, case.label)]
    return [Path(place, file) for place, _, files in os.walk(patient.source) for file in files]


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
            lines = [[cell.strip() for cell in line] for line in csv.reader(file, strict=True) if line]
    except FileNotFoundError:
        raise InputError(f"{path}: the CSV is missing; it lists the cohort's patients") from None
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError(f"{path}: not a readable CSV ({fault}); save it as comma-separated UTF-8 text") from None
    columns, rows = (lines[0], lines[1:]) if lines else ([], [])
    missing = [column for column in required if column not in columns]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}, only {', '.join(columns)}; add it")
    ragged = [number for number, row in enumerate(rows, 1) if len(row) != len(columns)]
    if ragged:
        raise InputError(f"{path}: row {ragged[0]} has not the {len(columns)} cells of the header; mend its commas")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def content_name(path: Path) -> str:
    """Name of a file with a digest of its content. The content itself may hold what must not be written elsewhere."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def path_inside(folder: Path, text: str) -> Path:
    """Full path of a file that a CSV names relative to the cohort's folder.

    Raises
    ------
    InputError
        The text is empty, is an absolute path, contains ``..``, or a link leads out of the folder.
    """
    path = folder / text
    if not text or PurePath(text).is_absolute() or ".." in PurePath(text).parts:
        raise InputError(f"the path '{text}' leads out of the folder; give it relative to {folder}, without '..'")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"the path '{text}' is a link out of the folder; copy the file into {folder}")
    return path


def folder_names(folder: str | Path) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones; an empty list where the folder does not exist."""
    # Without a Path object for each entry, because every dry run lists thousands of them.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name[0] != "." and entry.is_dir())
    return []


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
