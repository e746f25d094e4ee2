"""Label maps as bad segmenters might make them, from the references of a demo cohort: to judge without any training."""

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from scipy.ndimage import binary_erosion

from cmrslices.labels import LABELS
from cmrslices.runtime.parallel import map_progress

FAR_PX = 2
"""Largest shift of a shifted label map along x and y."""

APICAL = 0.25
"""Share of the labelled slices that an apexless label map lacks, at least one."""


def make_demo_predictions(references: str | Path, kind: str, seed: int, folder: str | Path, threads: int) -> None:
    """Write a label map for every reference of a cohort, under the same name.

    Parameters
    ----------
    references : path
        Folder with {case}.nii.gz, slice 0 at the base.
    kind : {"eroded", "shifted", "apexless"}
    seed : int
        The workflow's seed; with the case's name, it fixes every voxel.
    folder : path
        To make.
    threads : int
        Cases made at the same time.
    """
    files = sorted(Path(references).glob("*.nii.gz"))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for _ in map_progress(
        partial(_write, change=CHANGES[kind], seed=seed, folder=Path(folder)), files, threads, "case"
    ):
        pass
    print(f"{len(files)} label maps written to {folder}: {kind}")


def eroded(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make the heart, and the LVBP in it, smaller by a pixel all around, in three of four slices.

    Parameters
    ----------
    label : (x, y, z) array of int
    rng : Generator
    """
    in_plane = np.ones((3, 3, 1), dtype=bool)
    cavity = label == LABELS["LVBP"]
    smaller = np.where(cavity & ~binary_erosion(cavity, in_plane), LABELS["LVM"], label)
    smaller[~binary_erosion(label > 0, in_plane)] = 0
    return np.where(rng.random(label.shape[2]) < 0.25, label, smaller)


def shifted(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the whole heart by one or two pixels along x and along y."""
    steps = rng.integers(1, FAR_PX + 1, 2) * rng.choice([-1, 1], 2)
    return np.roll(label, steps.tolist(), axis=(0, 1))


def apexless(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take the labels of the most apical slices away, and move the others by a pixel at most."""
    labelled = np.flatnonzero(label.any(axis=(0, 1)))
    changed = np.roll(label, rng.integers(-1, 2, 2).tolist(), axis=(0, 1))
    changed[:, :, labelled[-max(1, round(APICAL * len(labelled))) :]] = 0
    return changed


CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "eroded": eroded,
    "shifted": shifted,
    "apexless": apexless,
}
"""How a reference becomes a label map of each kind."""


def _write(file: Path, change: Callable, seed: int, folder: Path) -> None:
    reference = cast(nib.Nifti1Image, nib.load(file))
    label = np.asanyarray(reference.dataobj)
    changed = change(label, np.random.default_rng([seed, zlib.crc32(file.name.encode())]))
    nib.save(nib.Nifti1Image(changed.astype(np.uint8), reference.affine, reference.header), folder / file.name)
