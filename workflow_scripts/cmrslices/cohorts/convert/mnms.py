"""The M&Ms download (Campello et al. 2021): an information CSV and 4D files per patient."""

from pathlib import Path

from cmrslices.cohorts.convert.raw import (
    RawCase,
    RawPatient,
    content_name,
    folder_names,
    frame_number,
    read_nifti_patient,
    read_rows,
    shown_name,
)
from cmrslices.labels import PHASES
from cmrslices.runtime.errors import InputError

LAYOUT = (
    "the CSV '..._M&Ms_Dataset_information_..._opendataset.csv' and any of Training/Labeled, Training/Unlabeled, "
    "Validation and Testing, with a folder <code> for each patient, that holds <code>_sa.nii.gz and <code>_sa_gt.nii.gz"
)
UNLABELLED = "Training/Unlabeled"
PARTS = ("Training/Labeled", UNLABELLED, "Validation", "Testing")
"""Folders below the cohort's, in which the patients' folders lie."""

read_patient = read_nifti_patient


def list_names(cohort: dict) -> list[str]:
    """List the patient folders, relative to the cohort's folder, and the cohort's CSV with a digest of its content."""
    folder = Path(cohort["folder"])
    tables = [content_name(path) for path in _tables(folder, "*.csv")]
    return tables + [f"{part}/{name}" for part in PARTS for name in folder_names(folder / part)]


def label_map(_cohort: dict) -> dict[str, int]:
    """Return the label values of the download."""
    return {"LVBP": 1, "LVM": 2, "RVBP": 3}


def find_patients(cohort: dict) -> list[RawPatient]:
    """Find the patients that the CSV lists or that have a folder; a patient at fault is returned with the fault.

    Raises
    ------
    InputError
        The information CSV is missing, ambiguous or lacks a column, or its name is not UTF-8.
    """
    folder = Path(cohort["folder"])
    table = _information_csv(folder)
    rows = read_rows(table, ("External code", *PHASES))
    folders = _patient_folders(folder)
    listed = [_find_patient(row, folders, table) for row in rows]
    codes = {row["External code"] for row in rows}
    return listed + [_without_row(path, table) for path in folders if path.name not in codes]


def _information_csv(folder: Path) -> Path:
    tables = _tables(folder, "*M&Ms*nformation*.csv") or _tables(folder, "*.csv")
    if len(tables) != 1:
        found = ", ".join(shown_name(path.name) for path in tables) or "none"
        raise InputError(f"{folder}: one information CSV is needed, found {found}; the layout is: {LAYOUT}")
    (table,) = tables
    if table.name != shown_name(table.name):
        raise InputError(f"{folder / shown_name(table.name)}: the name of the CSV is not UTF-8; rename it")
    return table


def _tables(folder: Path, pattern: str) -> list[Path]:
    # macOS leaves a file `._name` beside each file, Office a lock file `~$name`.
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith((".", "~$")))


def _patient_folders(folder: Path) -> list[Path]:
    return [folder / part / name for part in PARTS for name in folder_names(folder / part)]


def _is_unlabelled(folder: Path) -> bool:
    return folder.match(f"{UNLABELLED}/*")


def _without_row(folder: Path, table: Path) -> RawPatient:
    if _is_unlabelled(folder):
        return RawPatient(folder.name, folder, excluded="unlabelled")
    return RawPatient(folder.name, folder, fault=f"{folder}: no row in {table.name}, which names ED and ES; add one")


def _find_patient(row: dict[str, str], folders: list[Path], table: Path) -> RawPatient:
    code = row["External code"]
    folders = [path for path in folders if path.name == code]
    group, vendor = row.get("Pathology", ""), row.get("VendorName", "")
    if not folders:
        return RawPatient(code, table, group=group, vendor=vendor, excluded="no folder")
    if len(folders) > 1:
        where = " and ".join(str(path) for path in folders)
        return RawPatient(code, table, fault=f"the patient has the folders {where}; keep one")
    if _is_unlabelled(folders[0]):
        return RawPatient(code, table, group=group, vendor=vendor, excluded="unlabelled")
    try:
        cases = tuple(_find_case(folders[0], phase, row[phase]) for phase in PHASES)
    except InputError as fault:
        return RawPatient(code, table, fault=f"{table}: {fault}")
    return RawPatient(code, table, cases, group, vendor)


def _find_case(folder: Path, phase: str, frame: str) -> RawCase:
    try:
        number = frame_number(frame, first=0)
    except InputError as fault:
        raise InputError(f"column {phase}: {fault}") from None
    stem = f"{folder.name}_sa"
    return RawCase(phase, folder / f"{stem}.nii.gz", folder / f"{stem}_gt.nii.gz", number)
