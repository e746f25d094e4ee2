"""A scanner: its resolution and contrast, and the blur, shading and noise that it adds to a signal."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cmrslices.demo.scene import Tissues


@dataclass(frozen=True)
class Scanner:
    """Settings with which one patient is scanned."""

    vendor: str
    tissues: Tissues
    pixel_mm: float
    slice_mm: float  # thickness of the slices, which is also their distance
    matrix: tuple[int, int]  # columns, rows
    blur_px: float
    noise: float  # SD, relative to the signal of the LV's blood
    shading: float  # strength of the coil's bias field
    scale: float  # stored value of the LV's blood


SSFP = Tissues()
SCANNERS = {
    "nifti": (Scanner("Siemens", SSFP, 1.55, 9, (136, 136), 0.55, 0.035, 0.25, 420),),
    "cvi42": (Scanner("Siemens", SSFP, 1.55, 9, (136, 136), 0.55, 0.035, 0.25, 420),),
    "acdc": (
        Scanner("Siemens", replace(SSFP, myocardium=0.40, liver=0.42), 1.5, 10, (144, 136), 0.6, 0.045, 0.4, 260),
    ),
    "mnms": (
        Scanner("Siemens", replace(SSFP, fat=1.2, myocardium=0.27), 1.25, 9.6, (160, 144), 0.7, 0.04, 0.3, 480),
        Scanner("Philips", replace(SSFP, rv_blood=0.8, myocardium=0.42), 1.3, 9.6, (160, 152), 0.8, 0.06, 0.5, 900),
        Scanner("GE", replace(SSFP, fat=0.85, myocardium=0.36), 1.4, 10, (152, 152), 0.6, 0.05, 0.35, 1300),
        Scanner("Canon", replace(SSFP, fat=0.95, myocardium=0.46), 1.45, 10, (144, 144), 0.9, 0.07, 0.2, 700),
    ),
}
"""Scanners of a cohort with a raw format."""


def draw_scanner(raw_format: str, rng: np.random.Generator) -> Scanner:
    """Draw the scanner of one patient: one of the format's, with random changes of resolution, contrast and noise."""
    scanner = SCANNERS[raw_format][rng.integers(len(SCANNERS[raw_format]))]
    tissues = scanner.tissues
    return replace(
        scanner,
        tissues=replace(
            tissues,
            myocardium=tissues.myocardium * rng.uniform(0.85, 1.2),
            rv_blood=tissues.rv_blood * rng.uniform(0.88, 1.08),
            fat=tissues.fat * rng.uniform(0.85, 1.15),
        ),
        pixel_mm=round(scanner.pixel_mm * rng.uniform(0.93, 1.1), 4),
        slice_mm=round(scanner.slice_mm * (0.85, 0.9, 1.0)[rng.integers(3)], 2),
        noise=scanner.noise * rng.uniform(0.7, 1.5),
        shading=scanner.shading * rng.uniform(0.5, 1.5),
        scale=scanner.scale * rng.uniform(0.8, 1.2),
    )


def smooth_noise(shape: tuple[int, int, int], width_px: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and SD 1, smooth within each slice (z, y, x) and independent between them."""
    noise = ndimage.gaussian_filter(
        rng.standard_normal(shape, np.float32), (0, width_px, width_px), mode="wrap", truncate=3
    )
    return noise / noise.std()


def acquire(signal: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Add a scanner's blur, shading and noise to a signal.

    Parameters
    ----------
    signal : array (z, y, x)
        Mean signal of each voxel, relative to the LV's blood.
    scanner : Scanner
        Its blur, shading, noise and scale are used.
    rng : numpy.random.Generator
        Source of shading and noise.

    Returns
    -------
    array (z, y, x), int16
    """
    blurred = ndimage.gaussian_filter(signal, (0, scanner.blur_px, scanner.blur_px))
    shaded = blurred * np.exp(scanner.shading * _coil(signal.shape[1:], rng))
    noise = scanner.noise * rng.standard_normal((2, *signal.shape), np.float32)
    rician = np.hypot(shaded + noise[0], noise[1])
    return np.round(rician * scanner.scale).astype(np.int16)


def _coil(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Smooth field with a range of about 2, brightest near the chest wall, which is up and right in the image."""
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    slope = rng.normal((0.5, -0.7), 0.3)
    curve = rng.normal(0, 0.3, 3)
    field = slope[0] * x + slope[1] * y + curve[0] * x * x + curve[1] * x * y + curve[2] * y * y
    return (field - field.mean()).astype(np.float32)
