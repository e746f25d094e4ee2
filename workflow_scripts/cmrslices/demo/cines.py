"""A demo cohort without labels: cines of synthetic patients, with ED and ES known, in one raw layout."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cmrslices.demo.exam import cycle
from cmrslices.demo.layouts import MNMS_CSV, short_axis_affine, write_cvi42
from cmrslices.demo.patients import Patient, make_patient
from cmrslices.runtime.parallel import map_progress
from cmrslices.runtime.whole_folders import whole_folder

CONTRACTIONS = (0.0, 0.25, 0.6, 0.9, 1.0, 0.85, 0.6, 0.4, 0.3, 0.25, 0.12, 0.03)
"""Share of the contraction in each frame of a cycle: a third of it is systole, and the atria fill the heart last."""

FRAME_SECONDS = 0.07

PHASES_CSV = "phases.csv"
"""File in the raw folder that says the frames of ED and ES of every patient, counted from 0."""

SCANNERS = {"dicom": "cvi42"}
"""Formats that take the scanners of another one."""


def shares(number: int) -> tuple[float, ...]:
    """Share of the contraction in each frame of a patient's cine: recordings begin at ED, or up to two frames before.

    Parameters
    ----------
    number : int
        Of the patient, from 0.
    """
    before = number % 3
    return CONTRACTIONS[len(CONTRACTIONS) - before :] + CONTRACTIONS[: len(CONTRACTIONS) - before]


def make_demo_cines(folder: str | Path, cohort: str, raw_format: str, patients: int, seed: int, threads: int) -> None:
    """Write the cines of a cohort of synthetic patients. All arguments except `threads` together fix every voxel.

    Parameters
    ----------
    folder : path
        The cohort's raw folder. It appears only when it is complete.
    cohort : str
        The cohort's name.
    raw_format : {"acdc", "mnms", "nifti", "dicom"}
        Decides the layout of the files, and the scanners.
    patients : int
        Number of patients.
    seed : int
        The workflow's seed.
    threads : int
        Patients made at the same time.
    """
    make = partial(make_cine, cohort, raw_format, seed=seed)
    made = list(map_progress(make, range(patients), threads, "patient"))
    frames = [cine_phases(raw_format, patient, number) for number, patient in enumerate(made)]
    with whole_folder(folder) as raw:
        names = WRITERS[raw_format](made, raw)
        pd.DataFrame({"patient": names, **pd.DataFrame(frames)}).to_csv(raw / PHASES_CSV, index=False)
    print(f"{cohort}: cines of {patients} patients written to {folder} as {raw_format}")


def make_cine(cohort: str, raw_format: str, number: int, seed: int) -> Patient:
    """Make a synthetic patient with an image of every frame; a DICOM exam mixes its frames from ED and ES itself."""
    contractions = (0.0, 1.0) if raw_format == "dicom" else shares(number)
    return make_patient(cohort, SCANNERS.get(raw_format, raw_format), number, seed, contractions)


def cine_phases(raw_format: str, patient: Patient, number: int) -> dict[str, int]:
    """Frames of ED and ES as they are written."""
    if raw_format != "dicom":
        return patient.frames
    return {"ED": cycle(number + 1).index(0.0), "ES": cycle(number + 1).index(1.0)}


def _write_acdc(patients: list[Patient], folder: Path) -> list[str]:
    """Write 4D files with a bare header, base first, and no labels."""
    names = []
    for number, patient in enumerate(patients, start=1):
        names.append(f"patient{number:03d}")
        place = folder / "testing" / names[-1]
        place.mkdir(parents=True)
        info = {**{phase: frame + 1 for phase, frame in patient.frames.items()}, "Group": patient.group}
        (place / "Info.cfg").write_text("".join(f"{key}: {value}\n" for key, value in info.items()))
        bare = np.diag([-1.0, -1.0, 1.0, 1.0])
        _save(np.stack(patient.images, axis=-1), bare, patient, place / f"{names[-1]}_4d.nii.gz")
    return names


def _write_mnms(patients: list[Patient], folder: Path) -> list[str]:
    """Write 4D files, apex first, and the information CSV; no labels."""
    codes = [f"N{number // 10 % 10}E{number % 10}W0" for number in range(len(patients))]
    rows = []
    for code, patient in zip(codes, patients, strict=True):
        place = folder / "Testing" / code
        place.mkdir(parents=True)
        _save_apex_first(patient, place / f"{code}_sa.nii.gz")
        rows.append({"External code": code, "VendorName": patient.vendor, "Pathology": patient.group, **patient.frames})
    pd.DataFrame(rows).to_csv(folder / MNMS_CSV)
    return codes


def _write_nifti(patients: list[Patient], folder: Path) -> list[str]:
    """Write 4D files, apex first, listed in ``cohort.csv``."""
    (folder / "images").mkdir()
    names = [f"N{number:04d}" for number in range(1, len(patients) + 1)]
    for name, patient in zip(names, patients, strict=True):
        _save_apex_first(patient, folder / f"images/{name}.nii.gz")
    images = [f"images/{name}.nii.gz" for name in names]
    pd.DataFrame({"patient": names, "image": images}).to_csv(folder / "cohort.csv", index=False)
    return names


def _write_dicom(patients: list[Patient], folder: Path) -> list[str]:
    """Write exams as from a clinic's archive, without the workspaces in which contours are drawn."""
    write_cvi42(patients, folder)
    for workspace in folder.glob("*/*.cvi42wsx"):
        workspace.unlink()
    return sorted(place.name for place in folder.iterdir())


WRITERS: dict[str, Callable[[list[Patient], Path], list[str]]] = {
    "acdc": _write_acdc,
    "mnms": _write_mnms,
    "nifti": _write_nifti,
    "dicom": _write_dicom,
}
"""Writer of each raw format: it fills an existing folder, and returns the patients' names."""


def _save_apex_first(patient: Patient, path: Path) -> None:
    _save(np.stack(patient.images, axis=-1)[:, :, ::-1], short_axis_affine(patient.spacing_mm), patient, path)


def _save(data: np.ndarray, affine: np.ndarray, patient: Patient, path: Path) -> None:
    picture = nib.Nifti1Image(data, affine)
    picture.header.set_zooms((*patient.spacing_mm, FRAME_SECONDS))
    nib.save(picture, path)
