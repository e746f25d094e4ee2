"""Small raw cohorts for the converters' tests: a heart of nested discs that shrinks to the apex."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cmrslices.cohorts.convert.cohort import convert_cohort

SHAPE = (24, 20, 8)
SPACING_MM = (1.5, 1.25, 8.0)
BARE = np.diag([-1.5, -1.25, 8.0, 1.0])
LVBP, LVM, RVBP = 1, 2, 3


def heart(empty_slices=(0, 7)) -> np.ndarray:
    """Label in this project's values, slice 0 at the base."""
    x, y, z = np.indices(SHAPE)
    label = np.zeros(SHAPE, dtype=np.uint8)
    label[(x - 5) ** 2 + (y - 10) ** 2 <= (5 - z / 2) ** 2] = RVBP
    label[(x - 14) ** 2 + (y - 10) ** 2 <= (8 - z / 2) ** 2] = LVM
    label[(x - 14) ** 2 + (y - 10) ** 2 <= (5 - z / 2) ** 2] = LVBP
    label[:, :, list(empty_slices)] = 0
    return label


def heart_of(number: int) -> np.ndarray:
    """Label of one of several patients, so that no two are equal: that many pixels of LVM and RVBP are not labelled."""
    label = heart()
    for value in (LVM, RVBP):
        label.flat[np.flatnonzero(label == value)[:number]] = 0
    return label


def grey(label: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 20, label.shape)
    return (label * 100 + noise).astype(np.int16)


def oblique(base_first: bool = True) -> np.ndarray:
    """Affine of a short-axis stack whose header tells base from apex."""
    towards_apex = np.array([-1.0, 1.0, -1.0]) / np.sqrt(3)
    row = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    normal = towards_apex if base_first else -towards_apex
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([row, np.cross(normal, row), normal]) * SPACING_MM
    affine[:3, 3] = (10, 20, 30)
    return affine


def save(voxels: np.ndarray, path: Path, affine: np.ndarray = BARE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


def nifti_cohort(folder: Path, patients=("p1", "p2"), affine: np.ndarray = BARE) -> pd.DataFrame:
    """Write a `nifti` cohort; return its CSV's rows."""
    rows = []
    for number, patient in enumerate(patients):
        for phase in ("ED", "ES"):
            image, label = f"{patient}_{phase}.nii.gz", f"{patient}_{phase}_label.nii.gz"
            save(grey(heart(), seed=len(rows)), folder / image, affine)
            save(heart_of(number), folder / label, affine)
            rows.append({"patient": patient, "phase": phase, "image": image, "label": label})
    return write_csv(folder, pd.DataFrame(rows))


def write_csv(folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    rows.to_csv(folder / "cohort.csv", index=False)
    return rows


def acdc_patient(folder: Path, affine: np.ndarray = BARE) -> Path:
    """Write one patient as ACDC does: RV 1, myocardium 2, LV 3, and a bare header."""
    label = np.choose(heart(), [0, 3, 2, 1]).astype(np.uint8)
    for frame in ("01", "09"):
        save(grey(heart(), seed=int(frame)), folder / f"{folder.name}_frame{frame}.nii.gz", affine)
        save(label, folder / f"{folder.name}_frame{frame}_gt.nii.gz", affine)
    (folder / "Info.cfg").write_text("ED: 1\nES: 9\nGroup: DCM\nNbFrame: 30\n")
    return folder


def mnms_cohort(folder: Path, codes=("A1", "B2"), part: str = "Testing") -> pd.DataFrame:
    """Write an M&Ms cohort, apex first as its header says; return the CSV's rows."""
    rows = []
    for code in codes:
        label = np.stack([heart_of(len(rows))[:, :, ::-1].astype(float)] * 3, axis=3)
        for name, voxels in ((f"{code}_sa", grey(label, seed=len(rows))), (f"{code}_sa_gt", label)):
            save(voxels, folder / part / code / f"{name}.nii.gz", oblique(base_first=False))
        rows.append({"External code": code, "VendorName": "GE", "Pathology": "HCM", "ED": 0, "ES": 2, "Age": 50})
    table = pd.DataFrame(rows)
    table.to_csv(folder / "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv")
    return table


def convert_to(out: Path, cohort: dict, name: str = "demo", threads: int = 1, code: str = "code") -> Path:
    """Convert a cohort into a folder: images, labels, cases.csv and, beside it, the finished studies."""
    finished = out.with_name(f"{out.name}_finished")
    convert_cohort(name, cohort, out / "images", out / "labels", out / "cases.csv", finished, code, threads)
    return out
