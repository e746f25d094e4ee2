"""Synthetic short-axis stacks and cohorts of them, written fast: discs that shrink to the apex, in noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

PHASES = ("ED", "ES")
SHAPE = (10, 216, 256)
SPACING_MM = (1.4, 1.4, 10.0)
CAVITY = {"ED": 0.65, "ES": 0.5}
"""Radius of the LVBP, as a share of that of the LVM."""


def label_map(draw: np.random.Generator, shape: tuple[int, int, int] = SHAPE, phase: str = "ED") -> np.ndarray:
    """Label map, shape (slices, rows, columns), uint8: the labels of this project, slice 0 at the base, ends empty.

    At ES the LVBP is smaller, and the LVM thicker.
    """
    z, y, x = np.indices(shape, sparse=True)
    scale, depth = shape[2] / 256, (z - 1) / max(shape[0] - 3, 1)
    centre_y, centre_x = (side / 2 + draw.uniform(-6, 6) * scale for side in shape[1:])
    radius = draw.uniform(28, 34) * scale * (1 - 0.6 * depth)
    inside = (depth >= 0) & (depth <= 1)
    label = np.zeros(shape, dtype=np.uint8)
    label[inside & ((x - centre_x + 1.6 * radius) ** 2 + (y - centre_y) ** 2 < (1.1 * radius) ** 2)] = 3
    label[inside & ((x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2)] = 2
    label[inside & ((x - centre_x) ** 2 + (y - centre_y) ** 2 < (CAVITY[phase] * radius) ** 2)] = 1
    return label


def image(draw: np.random.Generator, label: np.ndarray) -> np.ndarray:
    """Int16 image of a label map; without zeros, so nothing is cropped."""
    return (label.astype(np.int16) * 60 + draw.integers(20, 90, label.shape, dtype=np.int16)).astype(np.int16)


def write(array: np.ndarray, path: Path) -> Path:
    """Write a gzipped NIfTI of the cohort's spacing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = sitk.GetImageFromArray(array)
    stack.SetSpacing(SPACING_MM)
    sitk.WriteImage(stack, path, useCompression=True)
    return path


def raw_cohort(folder: Path, patients: int, shape: tuple[int, int, int] = SHAPE) -> dict:
    """Write a raw cohort of the format `nifti`; return its row of the configuration."""
    rows = []
    draw = np.random.default_rng(0)
    for patient in (f"p{number:05}" for number in range(patients)):
        for phase in PHASES:
            label = label_map(draw, shape, phase)
            files = {"image": f"{patient}_{phase}.nii.gz", "label": f"{patient}_{phase}_label.nii.gz"}
            write(image(draw, label), folder / files["image"])
            write(label, folder / files["label"])
            rows.append({"patient": patient, "phase": phase, **files})
    pd.DataFrame(rows).to_csv(folder / "cohort.csv", index=False)
    return {"format": "nifti", "folder": str(folder)}


def scored_cohort(folder: Path, cases: int, shape: tuple[int, int, int] = SHAPE) -> Path:
    """Write what the rule `score` reads: reference and predicted label maps of test cases, splits.csv, slices.csv."""
    draw = np.random.default_rng(0)
    names = [f"c_p{number // 2:05}_{PHASES[number % 2]}" for number in range(cases)]
    for name in names:
        for part in ("references", "predictions"):
            write(label_map(draw, shape), folder / f"{part}/{name}.nii.gz")
    rows = pd.DataFrame({"case": names, "patient": [name[2:8] for name in names], "phase": [n[-2:] for n in names]})
    rows[["case", "patient"]].assign(split="test").to_csv(folder / "splits.csv", index=False)
    slices = pd.DataFrame({"slice": range(shape[0]), "region": "middle", "position": np.linspace(0, 1, shape[0])})
    rows.merge(slices, how="cross").to_csv(folder / "slices.csv", index=False)
    return folder
