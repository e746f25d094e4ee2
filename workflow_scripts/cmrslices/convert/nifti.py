"""Any cohort as NIfTI: a CSV that lists image and label files of every patient and phase."""

from itertools import groupby
from pathlib import Path

from cmrslices.convert.raw import RawCase, RawPatient, content_name, path_inside, read_rows
from cmrslices.errors import InputError
from cmrslices.labels import LABELS, PHASES

LAYOUT = (
    "cohort.csv (or cohorts.<name>.csv) with the columns patient, phase (ED or ES), image and label "
    "(3D NIfTI files, relative to the folder), and optionally group and vendor"
)
COLUMNS = ("patient", "phase", "image", "label")


def list_names(cohort: dict) -> list[str]:
    """List the cohort's CSV with a digest."""
    table = _table(cohort)
    return [content_name(table)] if table.is_file() else []


def label_map(cohort: dict) -> dict[str, int]:
    """Return the values of the labels as configured, else this project's."""
    return cohort.get("label_map", LABELS)


def find_patients(cohort: dict) -> list[RawPatient]:
    """Find the patients that the CSV lists; the fault of one is kept with the patient.

    Raises
    ------
    InputError
        The CSV is missing or lacks a column.
    """
    folder, table = Path(cohort["folder"]), _table(cohort)
    rows = sorted(read_rows(table, COLUMNS), key=lambda row: row["patient"])
    return [_find_patient(name, list(own), folder) for name, own in groupby(rows, lambda row: row["patient"])]


def _table(cohort: dict) -> Path:
    return Path(cohort["folder"]) / cohort.get("csv", "cohort.csv")


def _find_patient(name: str, rows: list[dict[str, str]], folder: Path) -> RawPatient:
    try:
        cases = tuple(_find_case(folder, row) for row in rows)
    except InputError as fault:
        return RawPatient(name, fault=str(fault))
    return RawPatient(name, cases, group=rows[0].get("group", ""), vendor=rows[0].get("vendor", ""))


def _find_case(folder: Path, row: dict[str, str]) -> RawCase:
    if row["phase"] not in PHASES:
        raise InputError(f"the CSV's phase '{row['phase']}' is unknown; write ED or ES")
    return RawCase(row["phase"], path_inside(folder, row["image"]), path_inside(folder, row["label"]))
