"""Slices as the classifier sees them: one square field of view, at one size."""

import numpy as np
import torch
from torch.nn import functional


def field_of_view(image: np.ndarray, properties: dict, side_mm: float, size_px: int) -> torch.Tensor:
    """Square around the centre of each slice, averaged to a given size.

    Parameters
    ----------
    image : ndarray (1, z, y, x)
        A case preprocessed by nnU-Net: cropped, normalised and resampled in plane.
    properties : dict
        What nnU-Net noted about it. The centre is that of the uncropped image.
    side_mm, size_px
        Side of the square, and what it is resampled to.

    Returns
    -------
    Tensor (z, 1, size_px, size_px)
        Where the square leaves the image, it has the slice's minimum.
    """
    spacing_mm = np.asarray(properties["spacing"][1:])
    low, high = np.asarray(properties["bbox_used_for_cropping"][1:]).T
    extent_mm = (high - low) * spacing_mm
    centre_mm = (np.asarray(properties["shape_before_cropping"][1:]) - (low + high)) / 2 * spacing_mm
    scale_y, scale_x = side_mm / extent_mm
    shift_y, shift_x = 2 * centre_mm / extent_mm
    square = torch.tensor([[scale_x, 0, shift_x], [0, scale_y, shift_y]], dtype=torch.float32)
    # Sampling at the image's own spacing and averaging avoids aliasing.
    finer = max(1, round(side_mm / size_px / (extent_mm / image.shape[2:]).min()))
    slices = torch.from_numpy(np.asarray(image[0], dtype=np.float32)).unsqueeze(1)
    sampled = resample(slices, square.expand(len(slices), 2, 3), finer * size_px)
    return functional.avg_pool2d(sampled, finer)


def resample(slices: torch.Tensor, affine: torch.Tensor, size_px: int) -> torch.Tensor:
    """Resample slices linearly.

    Parameters
    ----------
    slices : Tensor (n, 1, y, x)
    affine : Tensor (n, 2, 3)
        Output to input positions, both from -1 to 1 over the image (`torch.nn.functional.affine_grid`).
    size_px : int
        Side of the square result.

    Returns
    -------
    Tensor (n, 1, size_px, size_px)
        Outside of a slice it continues with that slice's minimum.
    """
    lowest = slices.amin(dim=(2, 3), keepdim=True)
    grid = functional.affine_grid(affine, [len(slices), 1, size_px, size_px], align_corners=False)
    return functional.grid_sample(slices - lowest, grid, padding_mode="zeros", align_corners=False) + lowest
