"""The scans of a patient's clinical exam: the short-axis cine, and others that are not segmented."""

from dataclasses import dataclass

import numpy as np

from cmrslices.demo.patients import Patient

CONTRACTION = (0.0, 0.4, 0.8, 1.0, 0.7, 0.4, 0.2, 0.1)
"""Each frame of the cine by its share of the contraction: a mixture of the images at ED (0) and ES (1)."""


@dataclass(frozen=True)
class Scan:
    """One acquisition.

    Attributes
    ----------
    pixels : (slice, time, row, column) array of int16
    affines : (slice, 4, 4) array
        For each slice, (column, row, 0) to RAS, mm; the third column is the step to a next slice.
    kind : str
        M for magnitude, P for phase.
    """

    pixels: np.ndarray
    affines: np.ndarray
    kind: str = "M"


def stored_order(slices: int, number: int) -> list[int]:
    """Order in which a scanner stores a patient's slices: from the base for even numbers, from the apex for odd ones.

    Parameters
    ----------
    slices : int
        Number of slices of the stack.
    number : int
        Number of the patient.

    Returns
    -------
    list of int
        Slices counted from 0 at the base, in the stored order.
    """
    order = list(range(slices))
    return order[::-1] if number % 2 else order


def cycle(number: int) -> tuple[float, ...]:
    """Share of the contraction in each frame of a patient's cine; ED is the first frame or, for some, the last."""
    return CONTRACTION[1:] + CONTRACTION[:1] if number % 4 > 1 else CONTRACTION


def make_exam(patient: Patient, base_first: np.ndarray, number: int) -> dict[str, Scan]:
    """Make the scans of one exam, by name and in the order of scanning.

    ``sax`` is the short-axis cine; its frames between ED and ES are mixtures of the two. ``sax repeated`` depends on
    the patient's number: it is absent, or one slice that was scanned again, or a second stack that was broken off.

    Parameters
    ----------
    patient : Patient
        With two images, ED and ES.
    base_first : (4, 4) array
        Voxel index of the patient's arrays to RAS, mm.
    number : int
        Number of the patient, on which the variants depend.
    """
    order = stored_order(patient.images[0].shape[2], number)
    cine = _cine(patient, cycle(number))
    sax = Scan(cine[order], _slices(base_first, order))
    scans = {
        "scout": _scout(cine, base_first),
        "2ch": _long_axis(cine, base_first, along=1),
        "4ch": _long_axis(cine, base_first, along=0),
        "sax": sax,
        "sax repeated": _repeat(sax, number % 3),
        "flow": _flow(cine, base_first, "M"),
        "flow phase": _flow(cine, base_first, "P"),
        "lge": Scan(np.ascontiguousarray(sax.pixels[:, :1, ::4, ::4]), sax.affines @ np.diag([4, 4, 1, 1])),
    }
    return {name: scan for name, scan in scans.items() if len(scan.pixels)}


def _cine(patient: Patient, shares: tuple[float, ...]) -> np.ndarray:
    """Array (slice, time, row, column), base first; the frames of ED and ES are exactly the patient's images."""
    diastole, systole = (patient.images[patient.frames[phase]].transpose(2, 1, 0) for phase in ("ED", "ES"))
    frames = [np.round((1 - share) * diastole + share * systole).astype(np.int16) for share in shares]
    return np.stack(frames, axis=1)


def _slices(affine: np.ndarray, order: list[int]) -> np.ndarray:
    return np.stack([_moved(affine, (0, 0, k)) for k in order])


def _moved(affine: np.ndarray, voxel: tuple[float, float, float]) -> np.ndarray:
    moved = affine.copy()
    moved[:, 3] = affine @ (*voxel, 1)
    return moved


def _repeat(sax: Scan, kind: int) -> Scan:
    """No slice, the middle one or the first two, scanned again after the patient has moved by a pixel."""
    middle = len(sax.pixels) // 2
    again = (slice(0), slice(middle, middle + 1), slice(2))[kind]
    return Scan(np.roll(sax.pixels[again], 1, axis=2), sax.affines[again])


def _long_axis(cine: np.ndarray, base_first: np.ndarray, along: int) -> Scan:
    """Cine of a plane through the middle of the stack, along its x (0) or y (1).

    It has every second pixel; the first row is at the base.
    """
    middle = [size // 2 for size in cine.shape[:1:-1]]
    plane = cine[:, :, middle[1], ::2] if along == 0 else cine[:, :, ::2, middle[0]]
    affine = _moved(base_first, (0, middle[1], 0) if along == 0 else (middle[0], 0, 0))
    affine[:, :3] = affine[:, [along, 2, 1 - along]] * (2, 1, 1)
    return Scan(np.ascontiguousarray(plane.transpose(1, 0, 2))[None], affine[None])


def _scout(cine: np.ndarray, base_first: np.ndarray) -> Scan:
    """Three planes along the scanner's axes, through the middle of the stack, with pixels of 5 mm."""
    pictures = np.ascontiguousarray(cine[:3, :1, ::4, ::4])
    middle = base_first @ (*(size / 2 for size in cine.shape[:1:-1]), len(cine) / 2, 1)
    affines = []
    for axes in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):  # transverse, coronal, sagittal
        affine = np.zeros((4, 4))
        affine[axes, (0, 1, 2)] = -5.0, -5.0, 10.0
        affine[:, 3] = middle - affine @ (pictures.shape[3] / 2, pictures.shape[2] / 2, 0, 0)
        affines.append(affine)
    return Scan(pictures, np.stack(affines))


def _flow(cine: np.ndarray, base_first: np.ndarray, kind: str) -> Scan:
    """One slice above the base, tilted like the aortic valve, with few frames."""
    affine = _moved(base_first, (0, 0, -2.5))
    cos, sin = np.cos(0.4), np.sin(0.4)
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    directions = directions @ [[1, 0, 0], [0, cos, -sin], [0, sin, cos]]
    affine[:3, :3] = directions * np.linalg.norm(affine[:3, :3], axis=0) * (4, 4, 1)
    return Scan(np.ascontiguousarray(cine[:1, ::2, ::4, ::4]), affine[None], kind)
