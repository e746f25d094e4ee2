"""Where the images of patients without labels lie, in each raw layout: frames that the layout lists, or whole cines."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from cmrslices.cohorts.convert import acdc, cvi42, folder_fault, mnms
from cmrslices.cohorts.convert import raw_names as labelled_names
from cmrslices.cohorts.convert.raw import (
    RawPatient,
    file_parts,
    folder_names,
    frame_number,
    path_inside,
    read_rows,
    source_files,
)
from cmrslices.labels import PHASES
from cmrslices.runtime.errors import InputError

LAYOUTS = {
    ("acdc", "listed"): (
        "training/ and/or testing/ with a folder patientNNN for each patient, that holds Info.cfg and "
        "patientNNN_frameFF.nii.gz of ED and ES"
    ),
    ("acdc", "all"): (
        "training/ and/or testing/ with a folder patientNNN for each patient, that holds patientNNN_4d.nii.gz"
    ),
    ("mnms", "listed"): (
        "the information CSV and any of Training/Labeled, Training/Unlabeled, Validation and Testing, with a folder "
        "<code> for each patient, that holds <code>_sa.nii.gz; the CSV names ED and ES"
    ),
    ("mnms", "all"): (
        "the information CSV and any of Training/Labeled, Training/Unlabeled, Validation and Testing, with a folder "
        "<code> for each patient, that holds <code>_sa.nii.gz"
    ),
    ("nifti", "listed"): (
        "cohort.csv (or cohorts.<name>.csv) with the columns patient, phase (ED or ES) and image (3D NIfTI files, "
        "relative to the folder), and optionally group and vendor"
    ),
    ("nifti", "all"): (
        "cohort.csv (or cohorts.<name>.csv) with the columns patient and image (4D NIfTI files, relative to the "
        "folder), and optionally group and vendor"
    ),
    ("dicom", "all"): "a folder for each patient, with its DICOM files in any nesting and naming",
}
"""The layout of the raw folder in words, by format and frames."""


@dataclass(frozen=True)
class Image:
    """An image file of one patient.

    Attributes
    ----------
    path : Path
        NIfTI, 3D or 4D (x, y, z, time).
    phase : str
        ED or ES; empty for a whole cine.
    frame : int or None
        Index along the time axis, from 0; None for a 3D file, and for a whole cine.
    """

    path: Path
    phase: str = ""
    frame: int | None = None


@dataclass(frozen=True)
class NewPatient(RawPatient):
    """One patient without labels, as found.

    Attributes
    ----------
    images : tuple of Image
        One whole cine, or ED and ES. Empty for a DICOM study, whose folder is searched when it is read.
    """

    images: tuple[Image, ...] = ()


def files_of(patient: NewPatient) -> list[Path]:
    """Files from which a patient is read; of a DICOM study, all in its folder."""
    if patient.images:
        return [part for image in patient.images for part in file_parts(image.path)]
    return source_files(patient)


def raw_names(cohort: dict) -> list[str]:
    """Names of what a cohort's raw folder holds, so that an added patient re-runs the conversion; no image is opened.

    Parameters
    ----------
    cohort : dict
        The cohort's row of the configuration.
    """
    return labelled_names({**cohort, "format": "cvi42"} if cohort["format"] == "dicom" else cohort)


def check_folder(name: str, cohort: dict) -> str | None:
    """Say what is wrong with a cohort's raw folder; None if it holds something in the format's layout.

    Parameters
    ----------
    name : str
        The cohort's name in the configuration.
    cohort : dict
        The cohort's row of the configuration.
    """
    layout = f"'{cohort['format']}' without labels: {layout_of(cohort)}"
    return None if raw_names(cohort) else folder_fault(name, Path(cohort["folder"]), layout)


def layout_of(cohort: dict) -> str:
    """Describe the raw folder of a cohort in words."""
    return LAYOUTS[cohort["format"], frames_of(cohort)]


def frames_of(cohort: dict) -> str:
    """Return which frames of a cohort are converted: ``listed`` or ``all``."""
    return cohort.get("frames", "listed")


def find_patients(cohort: dict) -> list[NewPatient]:
    """Find all patients of a cohort; a patient at fault is returned with the fault.

    Parameters
    ----------
    cohort : dict
        The cohort's row of the configuration.

    Raises
    ------
    InputError
        A CSV is missing, ambiguous or lacks a column; the file with the secret key (``name_key``) cannot be used.
    """
    return FINDERS[cohort["format"], frames_of(cohort)](cohort)


def _acdc_listed(cohort: dict) -> list[NewPatient]:
    return [_without_labels(patient) for patient in acdc.find_patients(cohort)]


def _acdc_cines(cohort: dict) -> list[NewPatient]:
    # What Info.cfg says of ED and ES does not count, and a fault of it neither.
    return [
        NewPatient(
            patient.name,
            patient.source,
            group=patient.group,
            images=(Image(patient.source / f"{patient.name}_4d.nii.gz"),),
        )
        for patient in acdc.find_patients(cohort)
    ]


def _without_labels(patient: RawPatient) -> NewPatient:
    images = tuple(Image(case.image, case.phase, case.frame) for case in patient.cases)
    about = {key: getattr(patient, key) for key in ("group", "vendor", "excluded", "fault")}
    return NewPatient(patient.name, patient.source, **about, images=images)


def _mnms_listed(cohort: dict) -> list[NewPatient]:
    return [_mnms_patient(patient, cohort, _listed_frames) for patient in mnms.find_patients(cohort)]


def _mnms_cines(cohort: dict) -> list[NewPatient]:
    return [_mnms_patient(patient, cohort, _whole_cine) for patient in mnms.find_patients(cohort)]


def _mnms_patient(patient: RawPatient, cohort: dict, images_of: Callable) -> NewPatient:
    """Find the images of one patient; what the layout sets aside because it has no labels is a patient here."""
    folder = Path(cohort["folder"])
    own = [folder / part / patient.name for part in mnms.PARTS if patient.name in folder_names(folder / part)]
    if len(own) != 1:
        return _without_labels(patient)
    row = _mnms_row(patient, folder)
    about = NewPatient(patient.name, patient.source, group=row.get("Pathology", ""), vendor=row.get("VendorName", ""))
    try:
        return replace(about, images=images_of(own[0], row))
    except InputError as fault:
        return replace(about, fault=f"{patient.source}: {fault}")


def _mnms_row(patient: RawPatient, folder: Path) -> dict[str, str]:
    """Row of the information CSV; empty for a patient without one."""
    if patient.source.parent != folder:
        return {}
    return next(row for row in read_rows(patient.source, ("External code",)) if row["External code"] == patient.name)


def _whole_cine(folder: Path, _row: dict[str, str]) -> tuple[Image, ...]:
    return (Image(folder / f"{folder.name}_sa.nii.gz"),)


def _listed_frames(folder: Path, row: dict[str, str]) -> tuple[Image, ...]:
    if not row:
        raise InputError("no row in the information CSV, which names ED and ES; add one, or write frames: all")
    frames = {phase: frame_number(row[phase], first=0) for phase in PHASES}
    return tuple(Image(folder / f"{folder.name}_sa.nii.gz", phase, frame) for phase, frame in frames.items())


def _nifti_listed(cohort: dict) -> list[NewPatient]:
    table = Path(cohort["folder"]) / cohort.get("csv", "cohort.csv")
    return _nifti_patients(cohort, read_rows(table, ("patient", "phase", "image")), table, _listed_images)


def _nifti_cines(cohort: dict) -> list[NewPatient]:
    table = Path(cohort["folder"]) / cohort.get("csv", "cohort.csv")
    return _nifti_patients(cohort, read_rows(table, ("patient", "image")), table, _one_cine)


def _nifti_patients(cohort: dict, rows: list[dict], table: Path, images_of: Callable) -> list[NewPatient]:
    patients = []
    for name, group in groupby(sorted(rows, key=lambda row: row["patient"]), lambda row: row["patient"]):
        own = list(group)
        patient = NewPatient(name, table, group=own[0].get("group", ""), vendor=own[0].get("vendor", ""))
        try:
            patients.append(replace(patient, images=images_of(own, Path(cohort["folder"]))))
        except InputError as fault:
            patients.append(replace(patient, fault=f"{table}: {fault}"))
    return patients


def _listed_images(rows: list[dict[str, str]], folder: Path) -> tuple[Image, ...]:
    phases = sorted(row["phase"] for row in rows)
    if phases != sorted(PHASES):
        raise InputError(f"the patient has the phases {', '.join(phases)}; list ED and ES, once each")
    return tuple(Image(path_inside(folder, row["image"]), row["phase"]) for row in rows)


def _one_cine(rows: list[dict[str, str]], folder: Path) -> tuple[Image, ...]:
    if len(rows) > 1:
        raise InputError(f"the patient has {len(rows)} rows; list one 4D file with all frames of the cine")
    return (Image(path_inside(folder, rows[0]["image"])),)


def _dicom_studies(cohort: dict) -> list[NewPatient]:
    return [NewPatient(patient.name, patient.source) for patient in cvi42.find_patients(cohort)]


FINDERS: dict[tuple[str, str], Callable[[dict], list[NewPatient]]] = {
    ("acdc", "listed"): _acdc_listed,
    ("acdc", "all"): _acdc_cines,
    ("mnms", "listed"): _mnms_listed,
    ("mnms", "all"): _mnms_cines,
    ("nifti", "listed"): _nifti_listed,
    ("nifti", "all"): _nifti_cines,
    ("dicom", "all"): _dicom_studies,
}
"""What finds the patients of a cohort, by format and frames."""
