"""DICOM cine studies with cvi42 contours: a folder per patient, with one workspace in it."""

from pathlib import Path
from typing import TYPE_CHECKING

from cmrslices.cohorts.convert.naming import hashed_name, read_key
from cmrslices.cohorts.convert.raw import RawPatient, folder_names
from cmrslices.labels import LABELS

if TYPE_CHECKING:
    from cmrslices.cohorts.convert.volumes import PatientStacks

LAYOUT = "a folder for each patient, with its DICOM files in any nesting and naming, and one .cvi42wsx workspace"


def list_names(cohort: dict) -> list[str]:
    """List the patients by the names that their cases will have."""
    return [name for name, _ in _named_folders(cohort)]


def label_map(_cohort: dict) -> dict[str, int]:
    """Return the label values with which contours are filled: this project's."""
    return LABELS


def find_patients(cohort: dict) -> list[RawPatient]:
    """Find the patients' folders; none of them is opened.

    Raises
    ------
    InputError
        The file with the secret key (``name_key``) is missing or too short.
    """
    return [RawPatient(name, Path(cohort["folder"]) / folder) for name, folder in _named_folders(cohort)]


def read_patient(patient: RawPatient, _label_map: dict[str, int]) -> "PatientStacks":
    """Read the short-axis cine at ED and ES with its contours."""
    from cmrslices.cohorts.convert.cvi42.study import read_dicom_stacks  # here, so that a dry run loads no NumPy

    return read_dicom_stacks(patient)


def _named_folders(cohort: dict) -> list[tuple[str, str]]:
    """Name of each patient, with the name of the patient's folder."""
    folders = folder_names(cohort["folder"])
    if not cohort.get("name_key"):
        return list(zip(folders, folders, strict=True))
    key = read_key(cohort["name_key"])
    return [(hashed_name(folder, key), folder) for folder in folders]
