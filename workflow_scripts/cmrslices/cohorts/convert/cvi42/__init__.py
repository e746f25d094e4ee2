"""DICOM cine studies with cvi42 contours: a folder per patient, with one workspace in it."""

from pathlib import Path

from cmrslices.cohorts.convert.naming import hashed_name, read_key
from cmrslices.cohorts.convert.raw import RawPatient, folder_names
from cmrslices.labels import LABELS

LAYOUT = "a folder for each patient, with its DICOM files in any nesting and naming, and one .cvi42wsx workspace"


def list_names(cohort: dict) -> list[str]:
    """List the patients by the names that their cases get."""
    return [name for name, _ in _named_folders(cohort)]


def label_map(_cohort: dict) -> dict[str, int]:
    """Return the values of the labels that the contours are filled with."""
    return LABELS


def find_patients(cohort: dict) -> list[RawPatient]:
    """Find the patients' folders; none is opened.

    Raises
    ------
    InputError
        The file of the secret key (``name_key``) is missing or too short.
    """
    return [RawPatient(name, Path(cohort["folder"]) / folder) for name, folder in _named_folders(cohort)]


def _named_folders(cohort: dict) -> list[tuple[str, str]]:
    """Name of each patient, and of the patient's folder."""
    folders = folder_names(cohort["folder"])
    if not cohort.get("name_key"):
        return list(zip(folders, folders, strict=True))
    key = read_key(cohort["name_key"])
    return [(hashed_name(folder, key), folder) for folder in folders]
