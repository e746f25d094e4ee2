"""One synthetic patient: images and reference labels of both phases, made from a seed."""

import hashlib
from dataclasses import dataclass

import numpy as np

from cmrslices.demo.heart import GROUPS, OBSERVER, Heart, Observer, as_contoured, contracted, draw_heart, last_contoured
from cmrslices.demo.scanner import Scanner, acquire, draw_scanner, smooth_noise
from cmrslices.demo.scene import Chest, draw_chest, paint
from cmrslices.demo.ventricles import axis_frame, ventricles
from cmrslices.labels import LABELS

SUBSLICES = 6
"""A slice is the mean over this many points through its thickness, which gives partial volume."""

WARP_MM = 2.0
WARP_CORRELATION_MM = 14.0
"""All tissue is displaced smoothly, so that no outline is a mathematical curve."""


@dataclass(frozen=True)
class Patient:
    """Images and labels of one patient; arrays (x, y, z), slice 0 at the base.

    `images` holds every stored frame; `frames` gives the indices of ED and ES.
    """

    group: str
    vendor: str
    spacing_mm: tuple[float, float, float]
    frames: dict[str, int]  # of ED and ES, from 0
    images: list[np.ndarray]  # int16
    labels: dict[str, np.ndarray]  # by phase, uint8, values of `cmrslices.labels.LABELS`


@dataclass(frozen=True)
class StackGrid:
    """Positions of the voxels of one stack, in a chest that is warped smoothly."""

    scanner: Scanner
    slices: int
    warp_mm: np.ndarray  # (first or last slice, x or y, rows, columns)

    def positions(self, slice_index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions x, y and z, in mm, of the points of one slice; they broadcast to (sub-slice, y, x)."""
        columns, rows = (np.arange(n, dtype=np.float32) * self.scanner.pixel_mm for n in self.scanner.matrix)
        share = slice_index / (self.slices - 1)
        dx, dy = (1 - share) * self.warp_mm[0] + share * self.warp_mm[1]
        z = (slice_index + (np.arange(SUBSLICES) + 0.5) / SUBSLICES - 0.5) * self.scanner.slice_mm
        return (columns + dx)[None], (rows[:, None] + dy)[None], z.astype(np.float32)[:, None, None]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.slices, self.scanner.matrix[1], self.scanner.matrix[0]


def make_patient(
    cohort: str,
    raw_format: str,
    index: int,
    seed: int,
    contractions: tuple[float, ...] = (0.0, 1.0),
    observer: Observer = OBSERVER,
) -> Patient:
    """Make a synthetic patient of a cohort; the arguments fix every voxel.

    Parameters
    ----------
    cohort : str
        The cohort's name.
    raw_format : {"acdc", "mnms", "nifti", "cvi42"}
        Decides the scanners of the cohort.
    index : int
        Number of the patient in the cohort, from 0.
    seed : int
        The workflow's seed.
    contractions : tuple of float
        Share of the contraction in each frame; 0 (ED) and 1 (ES) must be among them.
    observer : Observer
        How contours differ from the anatomy.
    """
    name = int.from_bytes(hashlib.sha256(cohort.encode()).digest()[:8], "big")
    rng = np.random.default_rng([seed, name, index])
    group = list(GROUPS)[index % len(GROUPS)]
    scanner = draw_scanner(raw_format, rng)
    middle = np.array(scanner.matrix) * scanner.pixel_mm / 2
    heart = draw_heart(GROUPS[group], scanner.slice_mm, tuple((middle + rng.normal((4, -4), 6)).tolist()), rng)
    chest = draw_chest(rng)
    reach = heart.base + heart.length + heart.wall
    grid = draw_grid(scanner, round(reach / scanner.slice_mm + rng.uniform(-0.1, 1.0)), rng)

    images = [image(contracted(heart, amount), chest, grid, rng) for amount in contractions]
    frames = {"ED": contractions.index(0.0), "ES": contractions.index(1.0)}
    labels = {
        phase: contours(contracted(heart, contractions[frame]), observer, grid, rng) for phase, frame in frames.items()
    }
    spacing = (scanner.pixel_mm, scanner.pixel_mm, scanner.slice_mm)
    return Patient(group, scanner.vendor, spacing, frames, images, labels)


def draw_grid(scanner: Scanner, slices: int, rng: np.random.Generator) -> StackGrid:
    """Draw the warp of one patient, and lay out a stack of so many slices in it."""
    columns, rows = scanner.matrix
    noise = smooth_noise((4, rows, columns), WARP_CORRELATION_MM / scanner.pixel_mm, rng)
    return StackGrid(scanner, slices, WARP_MM * noise.reshape(2, 2, rows, columns))


def image(heart: Heart, chest: Chest, grid: StackGrid, rng: np.random.Generator) -> np.ndarray:
    """Scan one phase: (x, y, z), int16."""
    scanner = grid.scanner
    texture = smooth_noise(grid.shape, 3 / scanner.pixel_mm, rng)
    signal = [
        paint(heart, chest, scanner.tissues, scanner.pixel_mm, texture[k], *grid.positions(k)).mean(0)
        for k in range(grid.slices)
    ]
    return acquire(np.stack(signal), scanner, rng).transpose(2, 1, 0)


def contours(heart: Heart, observer: Observer, grid: StackGrid, rng: np.random.Generator) -> np.ndarray:
    """Labels of one phase as an observer draws them: (x, y, z), uint8.

    A voxel gets the label of a part that fills at least half of the slice's thickness there. Papillary muscles belong
    to the cavity. A basal slice is contoured if muscle makes up enough of the ring around the cavity; then the outflow
    tract belongs to the cavity too.
    """
    pixel_mm = grid.scanner.pixel_mm
    wobble = smooth_noise((2 * grid.slices, *grid.shape[1:]), observer.outline_correlation_mm / pixel_mm, rng)
    drawn = as_contoured(heart, observer, grid.scanner.slice_mm, rng)
    lv_stop, rv_stop = last_contoured(heart, observer, grid.scanner.slice_mm, rng)
    slices = []
    for k, (dx, dy) in enumerate(observer.outline_mm * wobble.reshape(grid.slices, 2, *grid.shape[1:])):
        x, y, z = grid.positions(k)
        labels = _contoured_slice(drawn, observer, pixel_mm, x + dx, y + dy, z)
        labels[labels == LABELS["RVBP"]] *= z.mean() < rv_stop
        slices.append(labels * (z.mean() < lv_stop))
    return np.stack(slices).transpose(2, 1, 0)


def _contoured_slice(
    heart: Heart, observer: Observer, pixel_mm: float, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> np.ndarray:
    shape = ventricles(heart, axis_frame(heart, x, y, z))
    cavity = shape.lv > 0
    ring = (shape.epicardium > 0) & ~cavity
    parts = {
        "LVBP": cavity,
        "LVM": ring & (shape.below_muscle > 0),
        "RVBP": (shape.rv > 0) & (shape.below_tricuspid > 0),
    }
    filled = {name: part.mean(0) >= 0.5 for name, part in parts.items()}
    labels = np.zeros(cavity.shape[1:], np.uint8)
    if filled["LVM"].sum() < max(observer.ring * (ring.mean(0) >= 0.5).sum(), 1):
        return labels
    for name, part in filled.items():
        if part.sum() * pixel_mm**2 >= observer.smallest_mm2:
            labels[part] = LABELS[name]
    return labels
