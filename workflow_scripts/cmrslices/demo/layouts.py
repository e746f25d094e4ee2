"""Patients written in the raw layouts: downloads of ACDC and M&Ms, NIfTI listed in a CSV, DICOM with cvi42 contours."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cmrslices.demo.dicom import MAKERS, identity, write_scans
from cmrslices.demo.exam import cycle, make_exam, stored_order
from cmrslices.demo.patients import Patient
from cmrslices.demo.workspace import draw_contours, with_unlabelled, write_workspace

MNMS_CSV = "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv"
MNMS_PATHOLOGIES = {"MINF": "IHD", "RV": "ARV"}
MNMS_VENDORS = {"Siemens": ("A", 1), "Philips": ("B", 2), "GE": ("C", 4), "Canon": ("D", 5)}
"""Letter and first centre of each vendor (Campello et al., IEEE TMI 2021)."""

SKEWED_EVERY = 4
"""Every fourth M&Ms patient has direction cosines that are not orthonormal, as some real ones have."""

FRAME_SECONDS = 0.04


def write_acdc(patients: Iterable[Patient], folder: Path) -> None:
    """Write patients like the ACDC download: a folder for each with its frames, numbered from 1; RV 1, MYO 2, LV 3.

    The sform of the header is a bare diagonal without the spacing, as in the real files.
    """
    for number, patient in enumerate(patients, start=1):
        name = f"patient{number:03d}"
        place = folder / "training" / name
        place.mkdir(parents=True)
        count = 20 + number % 11
        frame = {"ED": 1, "ES": 1 + round(0.36 * count)}
        for phase, position in frame.items():
            stem = place / f"{name}_frame{position:02d}"
            _save_acdc(patient.images[patient.frames[phase]], patient.spacing_mm, f"{stem}.nii.gz")
            _save_acdc(_relabelled(patient.labels[phase], (0, 3, 2, 1)), patient.spacing_mm, f"{stem}_gt.nii.gz")
        info = {**frame, "Group": patient.group, "Height": "170.0", "NbFrame": count, "Weight": "70.0"}
        (place / "Info.cfg").write_text("".join(f"{key}: {value}\n" for key, value in info.items()))


def write_mnms(patients: Iterable[Patient], folder: Path) -> None:
    """Write patients like the M&Ms download: 4D stacks from apex to base and a CSV, frames numbered from 0.

    Labels are LV 1, MYO 2 and RV 3, as float64; only the frames of ED and ES carry labels.
    """
    rows = []
    for number, patient in enumerate(patients):
        code = _mnms_code(number)
        place = folder / "Testing" / code
        place.mkdir(parents=True)
        image = np.stack(patient.images, axis=-1)[:, :, ::-1]
        label = np.zeros(image.shape, np.float64)
        for phase, frame in patient.frames.items():
            label[..., frame] = patient.labels[phase][:, :, ::-1]
        affine = short_axis_affine(patient.spacing_mm)
        if number % SKEWED_EVERY == SKEWED_EVERY - 1:
            affine[:3, 0] += 0.002 * affine[:3, 2]
        _save(image, affine, (*patient.spacing_mm, FRAME_SECONDS), place / f"{code}_sa.nii.gz")
        _save(label, affine, (*patient.spacing_mm, FRAME_SECONDS), place / f"{code}_sa_gt.nii.gz")
        vendor, centre = MNMS_VENDORS[patient.vendor]
        rows.append(
            {
                "External code": code,
                "VendorName": patient.vendor,
                "Vendor": vendor,
                "Centre": centre,
                "Pathology": MNMS_PATHOLOGIES.get(patient.group, patient.group),
                **patient.frames,
                "Age": "",
                "Sex": "",
                "Height": "",
                "Weight": "",
            }
        )
    pd.DataFrame(rows).to_csv(folder / MNMS_CSV)


def write_nifti(patients: Iterable[Patient], folder: Path) -> None:
    """Write patients as NIfTI files listed in ``cohort.csv``: stacks from apex to base; LV 1, MYO 2, RV 3."""
    rows = []
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for number, patient in enumerate(patients, start=1):
        name = f"P{number:04d}"
        affine = short_axis_affine(patient.spacing_mm)
        for phase, frame in patient.frames.items():
            row = {kind: f"{kind}s/{name}_{phase}.nii.gz" for kind in ("image", "label")}
            _save(patient.images[frame][:, :, ::-1], affine, patient.spacing_mm, folder / row["image"])
            _save(patient.labels[phase][:, :, ::-1], affine, patient.spacing_mm, folder / row["label"])
            rows.append({"patient": name, "phase": phase, **row})
    pd.DataFrame(rows).to_csv(folder / "cohort.csv", index=False)


def write_cvi42(patients: Iterable[Patient], folder: Path) -> None:
    """Write patients like a clinic's archive: a folder for each, with the DICOM files of an exam and a cvi42 workspace.

    The scanner's maker, the stored order of the slices and the other scans of the exam change from patient to patient.
    Images and labels do not depend on them: all patients have images as from one kind of scanner, as in `write_nifti`.
    """
    for number, patient in enumerate(patients, start=1):
        name = f"P{number:04d}"
        place = folder / name
        place.mkdir(parents=True)
        # UIDs are derived from the voxels, so that patients of different cohorts or seeds share none.
        entropy = [name, hashlib.sha256(b"".join(image.tobytes() for image in patient.images)).hexdigest()]
        scans = make_exam(patient, _base_first(patient), number)
        keys = write_scans(scans, MAKERS[(number - 1) % len(MAKERS)], identity(name), entropy, place)
        contours = with_unlabelled(_contours(patient, keys["sax"], number), long_axis=keys["4ch"][0, 0])
        write_workspace(place / "workspace.cvi42wsx", contours, identity(name))


WRITERS: dict[str, Callable[[Iterable[Patient], Path], None]] = {
    "acdc": write_acdc,
    "mnms": write_mnms,
    "nifti": write_nifti,
    "cvi42": write_cvi42,
}
"""Writer of each raw format: it fills an existing folder. The patients may come one by one, from an iterator."""


def short_axis_affine(spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Affine (RAS, mm) of a short-axis stack from apex to base.

    Columns grow to the patient's left, rows to inferior and posterior, slices to right, posterior and superior.
    """
    slices = np.array([0.40, -0.62, 0.675])
    slices /= np.linalg.norm(slices)
    columns = np.cross([0.0, -0.5, -1.0], slices)
    columns /= np.linalg.norm(columns)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([columns, np.cross(slices, columns), slices]) * spacing_mm
    return affine


def _base_first(patient: Patient) -> np.ndarray:
    """Affine (RAS, mm) of a patient's arrays, whose first slice is the base."""
    affine = short_axis_affine(patient.spacing_mm)
    affine[:3, 3] += (patient.images[0].shape[2] - 1) * affine[:3, 2]
    affine[:3, 2] *= -1
    return affine


def _contours(patient: Patient, keys: np.ndarray, number: int) -> dict[str, dict[str, np.ndarray]]:
    """Contours of the labelled slices of ED and ES, by the key of the image; `keys` are those of [slice, time]."""
    frame = {"ED": cycle(number).index(0.0), "ES": cycle(number).index(1.0)}
    order = stored_order(len(keys), number)
    return {
        keys[k, frame[phase]]: draw_contours(label[:, :, z])
        for phase, label in patient.labels.items()
        for k, z in enumerate(order)
        if label[:, :, z].any()
    }


def _mnms_code(number: int) -> str:
    """Code that looks like those of M&Ms, letters and digits in turn, and belongs to no real patient."""
    return f"D{number // 100 % 10}M{number // 10 % 10}O{number % 10}"


def _relabelled(labels: np.ndarray, values: tuple[int, ...]) -> np.ndarray:
    return np.array(values, labels.dtype)[labels]


def _save(data: np.ndarray, affine: np.ndarray, zooms: tuple[float, ...], path: Path | str) -> None:
    picture = nib.Nifti1Image(data, affine)
    picture.header.set_zooms(zooms)
    nib.save(picture, path)


def _save_acdc(data: np.ndarray, spacing_mm: tuple[float, float, float], path: Path | str) -> None:
    picture = nib.Nifti1Image(data, np.diag([-1.0, -1.0, 1.0, 1.0]))
    picture.set_qform(np.diag([-spacing_mm[0], -spacing_mm[1], spacing_mm[2], 1.0]), code=0)
    nib.save(picture, path)
