"""Voxel grids: repair of an affine, comparison of two, reversal of the slice order."""

import numpy as np
from scipy.linalg import polar

TOLERANCE_PX = 0.1
"""Largest distance of the corners of two grids that count as one, in pixels."""


def repair_affine(affine: np.ndarray, spacing_mm: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Affine with the header's spacing and orthonormal directions.

    ACDC's sform has scale 1 where pixdim holds the spacing; some of M&Ms' directions are oblique
    to each other, which SimpleITK refuses.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel index to world position in mm, RAS.
    spacing_mm : (3,) array
        The header's pixdim.

    Returns
    -------
    affine : (4, 4) array
        Nearest rotation (polar decomposition) times spacing; same origin.
    repairs : list of str
        ``spacing-from-pixdim`` and ``directions-orthonormalised``, as they apply.
    """
    scale_mm = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / scale_mm
    rotation, _ = polar(directions)
    repairs = []
    if not np.allclose(scale_mm, spacing_mm, rtol=1e-3):
        repairs.append("spacing-from-pixdim")
    if not np.allclose(rotation, directions, atol=1e-4):
        repairs.append("directions-orthonormalised")
    repaired = np.eye(4)
    repaired[:3, :3] = rotation * spacing_mm
    repaired[:3, 3] = affine[:3, 3]
    return repaired, repairs


def corner_distance_px(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """Largest distance between the same corner of two grids, in pixels of the first.

    Parameters
    ----------
    first, second : (4, 4) array
    shape : tuple of int
        Voxels of both grids.
    """
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in shape], [1])).reshape(4, -1)
    shift_mm = ((first - second) @ corners)[:3]
    return float(np.linalg.norm(shift_mm, axis=0).max() / np.linalg.norm(first[:3, 0]))


def reverse_slices(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reverse the third axis; every voxel keeps its world position."""
    reversal = np.diag([1.0, 1.0, -1.0, 1.0])
    reversal[2, 3] = voxels.shape[2] - 1
    return voxels[:, :, ::-1], affine @ reversal
