"""Any cohort as NIfTI files: a CSV lists image and label file of every patient and phase."""

from itertools import groupby
from pathlib import Path

from cmrslices.cohorts.convert.raw import RawCase, RawPatient, content_name, path_inside, read_nifti_patient, read_rows
from cmrslices.labels import LABELS, PHASES
from cmrslices.runtime.errors import InputError

LAYOUT = (
    "cohort.csv (or cohorts.<name>.csv) with the columns patient, phase (ED or ES), image and label "
    "(3D NIfTI files, relative to the folder), and optionally group and vendor"
)
COLUMNS = ("patient", "phase", "image", "label")
"""Columns that the CSV must have."""

read_patient = read_nifti_patient


def list_names(cohort: dict) -> list[str]:
    """List the cohort's CSV with a digest of its content."""
    table = _table(cohort)
    return [content_name(table)] if table.is_file() else []


def label_map(cohort: dict) -> dict[str, int]:
    """Return the configured label values, or this project's where none are configured."""
    return cohort.get("label_map", LABELS)


def find_patients(cohort: dict) -> list[RawPatient]:
    """Find the patients that the CSV lists; a patient at fault is returned with the fault.

    Raises
    ------
    InputError
        The CSV is missing or lacks a column.
    """
    table = _table(cohort)
    rows = sorted(read_rows(table, COLUMNS), key=lambda row: row["patient"])
    return [_find_patient(name, list(own), table, cohort) for name, own in groupby(rows, lambda row: row["patient"])]


def _table(cohort: dict) -> Path:
    return Path(cohort["folder"]) / cohort.get("csv", "cohort.csv")


def _find_patient(name: str, rows: list[dict[str, str]], table: Path, cohort: dict) -> RawPatient:
    try:
        cases = _find_cases(rows, Path(cohort["folder"]))
    except InputError as fault:
        return RawPatient(name, table, fault=f"{table}: {fault}")
    return RawPatient(name, table, cases, group=rows[0].get("group", ""), vendor=rows[0].get("vendor", ""))


def _find_cases(rows: list[dict[str, str]], folder: Path) -> tuple[RawCase, ...]:
    phases = sorted(row["phase"] for row in rows)
    if phases != sorted(PHASES):
        raise InputError(f"the patient has the phases {', '.join(phases)}; list ED and ES, once each")
    paths = [(path_inside(folder, row["image"]), path_inside(folder, row["label"])) for row in rows]
    return tuple(RawCase(row["phase"], *pair) for row, pair in zip(rows, paths, strict=True))
