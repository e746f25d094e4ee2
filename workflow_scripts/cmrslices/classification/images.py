"""Slices as the classifier sees them: a square field of view, always of the same size."""

import numpy as np
import torch
from torch.nn import functional


def field_of_view(image: np.ndarray, properties: dict, side_mm: float, size_px: int) -> torch.Tensor:
    """Cut a square around the centre of each slice and resample it to a given size.

    Parameters
    ----------
    image : ndarray (1, z, y, x)
        A case preprocessed by nnU-Net: cropped, normalised and resampled in the plane.
    properties : dict
        nnU-Net's properties of the case. The centre of the square is the centre of the image before cropping.
    side_mm, size_px
        Side of the square, and what it is resampled to.

    Returns
    -------
    Tensor (z, 1, size_px, size_px)
        Outside of the image, the square is filled with the minimum of the slice.
    """
    spacing_mm = np.asarray(properties["spacing"][1:])
    low, high = np.asarray(properties["bbox_used_for_cropping"][1:]).T
    extent_mm = (high - low) * spacing_mm
    centre_mm = (np.asarray(properties["shape_before_cropping"][1:]) - (low + high)) / 2 * spacing_mm
    scale_y, scale_x = side_mm / extent_mm
    shift_y, shift_x = 2 * centre_mm / extent_mm
    square = torch.tensor([[scale_x, 0, shift_x], [0, scale_y, shift_y]], dtype=torch.float32)
    # To avoid aliasing, sample at about the spacing of the image, then average.
    finer = max(1, round(side_mm / size_px / (extent_mm / image.shape[2:]).min()))
    slices = torch.from_numpy(np.asarray(image[0], dtype=np.float32)).unsqueeze(1)
    sampled = resample(slices, square.expand(len(slices), 2, 3), finer * size_px)
    return functional.avg_pool2d(sampled, finer)


def resample(slices: torch.Tensor, affine: torch.Tensor, size_px: int) -> torch.Tensor:
    """Resample slices by linear interpolation.

    Parameters
    ----------
    slices : Tensor (n, 1, y, x)
    affine : Tensor (n, 2, 3)
        Maps positions in the output to positions in the input, both from -1 to 1 over the image, as in
        `torch.nn.functional.affine_grid`.
    size_px : int
        Side of the square result.

    Returns
    -------
    Tensor (n, 1, size_px, size_px)
        Outside of a slice, the result is filled with the minimum of that slice.
    """
    lowest = slices.amin(dim=(2, 3), keepdim=True)
    grid = functional.affine_grid(affine, [len(slices), 1, size_px, size_px], align_corners=False)
    return functional.grid_sample(slices - lowest, grid, padding_mode="zeros", align_corners=False) + lowest
