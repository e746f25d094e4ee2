"""The ACDC download (Bernard et al. 2018): a folder per patient, with Info.cfg and a file per phase."""

from pathlib import Path, PurePath

from cmrslices.cohorts.convert.raw import RawCase, RawPatient, folder_names, frame_number, read_nifti_patient
from cmrslices.labels import PHASES
from cmrslices.runtime.errors import InputError

LAYOUT = (
    "training/ and/or testing/ with a folder patientNNN for each patient, that holds Info.cfg, "
    "patientNNN_frameFF.nii.gz and patientNNN_frameFF_gt.nii.gz of ED and ES"
)
PARTS = ("", "training", "testing", "database/training", "database/testing")
"""Folders below the cohort's, in which the patients' folders may lie."""

read_patient = read_nifti_patient


def list_names(cohort: dict) -> list[str]:
    """List the patient folders, relative to the cohort's folder."""
    return [str(PurePath(*place)) for place in _places(Path(cohort["folder"]))]


def label_map(_cohort: dict) -> dict[str, int]:
    """Return the label values of the download."""
    return {"LVBP": 3, "LVM": 2, "RVBP": 1}


def find_patients(cohort: dict) -> list[RawPatient]:
    """Find the patients below the cohort's folder; a patient at fault is returned with the fault."""
    folder = Path(cohort["folder"])
    return [_find_patient(folder.joinpath(*place)) for place in _places(folder)]


def _places(folder: Path) -> list[tuple[str, str]]:
    """Part of the cohort's folder, and name, of each patient's folder."""
    return [(part, name) for part in PARTS for name in folder_names(folder / part) if name.startswith("patient")]


def _find_patient(folder: Path) -> RawPatient:
    try:
        info = _read_info(folder / "Info.cfg")
        cases = tuple(_find_case(folder, phase, info[phase]) for phase in PHASES)
    except InputError as fault:
        return RawPatient(folder.name, folder, fault=str(fault))
    return RawPatient(folder.name, folder, cases, group=info.get("Group", ""))


def _find_case(folder: Path, phase: str, frame: str) -> RawCase:
    try:
        number = frame_number(frame, first=1)
    except InputError as fault:
        raise InputError(f"{folder / 'Info.cfg'}: {phase}: {fault}") from None
    stem = f"{folder.name}_frame{number:02d}"
    return RawCase(phase, folder / f"{stem}.nii.gz", folder / f"{stem}_gt.nii.gz")


def _read_info(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: missing or not text; it names the ED and ES frames") from None
    pairs = (line.partition(":") for line in lines if ":" in line)
    info = {key.strip(): value.strip() for key, _, value in pairs}
    missing = [phase for phase in PHASES if phase not in info]
    if missing:
        raise InputError(f"{path}: no key {', '.join(missing)}; add a line such as '{missing[0]}: 1'")
    return info
