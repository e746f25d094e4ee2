"""Slices as the classifier sees them: one square field of view, at one size."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from torch.nn import functional

from cmrslices.labels import SLICE_CLASSES
from cmrslices.segmentation.nnunet import CASES_IN_STORE


class Slices(NamedTuple):
    """Slices ``(n, 1, size, size)``, float16, and their classes ``(n,)`` as indices of `SLICE_CLASSES`."""

    images: torch.Tensor
    targets: torch.Tensor


def read_slices(store: str | Path, cases: list[str], regions: pd.DataFrame, side_mm: float, size_px: int) -> Slices:
    """Read all slices of some cases from nnU-Net's preprocessed store.

    Slices that nnU-Net cropped away are all zero; they are left out.

    Parameters
    ----------
    store : path
        Folder of the preprocessed 2D configuration.
    cases : list of str
        Case names.
    regions : DataFrame
        Columns ``case``, ``slice`` and ``region``.
    side_mm, size_px
        Side of the square field of view, and what it is resampled to.

    Returns
    -------
    Slices
        In the order of `cases`, base to apex.
    """
    dataset = nnUNetDatasetBlosc2(str(Path(store) / CASES_IN_STORE), list(cases))
    wanted = regions[regions["case"].isin(cases)].set_index(["case", "slice"])["region"]
    images = torch.empty((len(wanted), 1, size_px, size_px), dtype=torch.float16)
    targets = []
    for case in cases:
        image, _, _, properties = dataset.load_case(case)
        slices = field_of_view(image[:], properties, side_mm, size_px)
        images[len(targets) : len(targets) + len(slices)] = slices
        targets += [SLICE_CLASSES.index(wanted[case, index]) for index in kept_slices(properties)]
    return Slices(images[: len(targets)], torch.tensor(targets, dtype=torch.int64))


def kept_slices(properties: dict) -> range:
    """Return the indices, in the original stack, of the slices that nnU-Net's crop to non-zero voxels kept."""
    return range(*(int(bound) for bound in properties["bbox_used_for_cropping"][0]))


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
