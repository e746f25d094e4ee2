"""Small raw cohorts without labels: cines whose heart shrinks and grows again over the cycle."""

from pathlib import Path

import numpy as np
import pandas as pd
from raw_cohorts import SHAPE, grey, heart, oblique, save

from cmrslices.cohorts.unlabelled.cohort import convert_images

FRAMES = 6


def cine(seed: int = 0, frames: int = FRAMES) -> np.ndarray:
    """Grey values (x, y, slice, frame), slice 0 at the base."""
    return np.stack([grey(heart(), seed=100 * seed + frame) for frame in range(frames)], axis=-1)


def nifti_cines(folder: Path, patients=("p1", "p2"), affine: np.ndarray | None = None) -> pd.DataFrame:
    """Write a `nifti` cohort of cines; return its CSV's rows."""
    rows = []
    for number, patient in enumerate(patients):
        save(cine(number), folder / f"{patient}.nii.gz", oblique() if affine is None else affine)
        rows.append({"patient": patient, "image": f"{patient}.nii.gz"})
    table = pd.DataFrame(rows)
    table.to_csv(folder / "cohort.csv", index=False)
    return table


def convert_new(out: Path, cohort: dict, name: str = "new") -> Path:
    """Convert a cohort without labels into a folder: images, cases.csv and, beside it, the finished patients."""
    finished = out.with_name(f"{out.name}_finished")
    out.mkdir(parents=True, exist_ok=True)
    convert_images(name, cohort, out / "images", out / "cases.csv", finished, code="code", threads=1)
    return out


__all__ = ["FRAMES", "SHAPE", "cine", "convert_new", "nifti_cines"]
