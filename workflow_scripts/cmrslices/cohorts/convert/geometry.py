"""Voxel grids: an affine is repaired, two grids are compared, the order of slices is reversed."""

import numpy as np
from scipy.linalg import polar

TOLERANCE_PX = 0.1
"""Two grids count as the same if their corners lie at most this far apart, in pixels."""


def repair_affine(affine: np.ndarray, spacing_mm: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Affine with the header's spacing and orthonormal directions.

    The sform of ACDC has the scale 1, and only pixdim holds the spacing. In some files of M&Ms, directions are not at
    right angles, which SimpleITK refuses.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel index to world position in mm, RAS.
    spacing_mm : (3,) array
        The header's pixdim.

    Returns
    -------
    affine : (4, 4) array
        The nearest orthonormal directions (polar decomposition) times the spacing; the same origin.
    repairs : list of str
        ``spacing-from-pixdim`` and ``directions-orthonormalised``, if they apply.

    Examples
    --------
    >>> affine, repairs = repair_affine(np.diag([-1.0, -1.0, 1.0, 1.0]), np.array([1.5, 1.5, 8.0]))
    >>> affine.diagonal().tolist(), repairs
    ([-1.5, -1.5, 8.0, 1.0], ['spacing-from-pixdim'])
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


def corner_distance_mm(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """Largest distance between the corresponding corners of two grids.

    Parameters
    ----------
    first, second : (4, 4) array
        Affines, mm.
    shape : tuple of int
        Number of voxels of both grids along each axis.
    """
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in shape], [1])).reshape(4, -1)
    return float(np.linalg.norm(((first - second) @ corners)[:3], axis=0).max())


def corner_distance_px(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """`corner_distance_mm` in pixels of the first grid."""
    return corner_distance_mm(first, second, shape) / float(np.linalg.norm(first[:3, 0]))


def reverse_slices(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reverse the order of slices, the third axis; every voxel keeps its position in space.

    Examples
    --------
    >>> voxels, affine = reverse_slices(np.array([[[1, 2, 3]]]), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> voxels.tolist()
    [[[3, 2, 1]]]
    >>> (affine @ [0, 0, 0, 1]).tolist()  # the value 3 is first now, and still lies at z = 16 mm
    [0.0, 0.0, 16.0, 1.0]
    """
    reversal = np.diag([1.0, 1.0, -1.0, 1.0])
    reversal[2, 3] = voxels.shape[2] - 1
    return voxels[:, :, ::-1], affine @ reversal
