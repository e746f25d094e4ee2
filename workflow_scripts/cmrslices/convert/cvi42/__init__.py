"""DICOM cine studies with cvi42 contours: a folder per patient, with one workspace in it."""

from pathlib import Path

from cmrslices.convert.naming import hashed_name, read_key
from cmrslices.convert.raw import RawPatient
from cmrslices.labels import LABELS

LAYOUT = "a folder for each patient, with its DICOM files in any nesting and naming, and one .cvi42wsx workspace"


def list_names(cohort: dict) -> list[str]:
    """List the patients by the names that their cases get."""
    return [patient.name for patient in find_patients(cohort)]


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
    folders = sorted(path for path in Path(cohort["folder"]).iterdir() if path.is_dir() and path.name[0] != ".")
    if not cohort.get("name_key"):
        return [RawPatient(folder.name, folder) for folder in folders]
    key = read_key(cohort["name_key"])
    return [RawPatient(hashed_name(folder.name, key), folder) for folder in folders]
