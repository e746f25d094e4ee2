"""Slice-sampling policies: how often each slice is drawn in training.

A policy is a row of the configuration's `models`: ``{"sampling": "uniform"}`` for the baseline,
``{"sampling": "quadratic", "ratio": 4}`` for batch sampling (approach 1 of the paper), or
``{"sampling": "region", "region": "apex"}`` for a region-specific model (approach 2).
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset

from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES


def quadratic_weights(positions: np.ndarray, ratio: float) -> np.ndarray:
    """Weights that are `ratio` times as high at base and apex as in the middle (paper, section 2).

    Parameters
    ----------
    positions : ndarray of float, shape (slices,)
        From 0 (base) to 1 (apex); NaN for a non-cardiac slice.
    ratio : float
        Maximum over minimum sampling probability.

    Returns
    -------
    ndarray of float, shape (slices,)
        ``1 + (ratio - 1) (2 z - 1)^2`` for a cardiac slice at position z, scaled so that the weights of the cardiac
        slices sum to their number. A non-cardiac slice has weight 1, so it is drawn as often as with uniform
        sampling.

    Examples
    --------
    Ratio 4 over five cardiac slices, after a non-cardiac one:

    >>> weights = quadratic_weights(np.array([np.nan, 0, 0.25, 0.5, 0.75, 1]), ratio=4)
    >>> print(weights.round(2))
    [1.  1.6 0.7 0.4 0.7 1.6]
    """
    cardiac = ~np.isnan(positions)
    weights = np.ones(len(positions))
    curve = 1 + (ratio - 1) * (2 * positions[cardiac] - 1) ** 2
    weights[cardiac] = curve * len(curve) / curve.sum()
    return weights


def slice_weights(policy: dict, slices: pd.DataFrame) -> dict[str, np.ndarray] | None:
    """Weight of every slice of every case under a policy.

    Parameters
    ----------
    policy : dict
        A row of the configuration's `models`.
    slices : DataFrame
        `slices.csv`: case, slice, region, position.

    Returns
    -------
    dict of str to ndarray, or None
        Case to the weights of its slices, shape (slices,). Cases without a slice to draw are left out.
        None for uniform sampling, which nnU-Net's own loader does.
    """
    if policy["sampling"] == "uniform":
        return None
    weights = {}
    for case, rows in slices.sort_values(["case", "slice"]).groupby("case"):
        if policy["sampling"] == "quadratic":
            of_case = quadratic_weights(
                rows["position"].where(rows["region"] != NON_CARDIAC).to_numpy(float), policy["ratio"]
            )
        else:
            of_case = (rows["region"] == policy["region"]).to_numpy(float)
        if of_case.any():
            weights[case] = of_case
    return weights


class SliceSamplingDataLoader(nnUNetDataLoader):
    """nnU-Net's loader, except that it draws the slice of a case by weight.

    nnU-Net's own code draws the case, the patch within the slice, and the class on which a forced-foreground patch is
    centred. Its data are a `WeightedDataset`.
    """

    def get_bbox(
        self,
        data_shape: tuple[int, ...],
        force_fg: bool,
        class_locations: dict[int, np.ndarray],
        overwrite_class: int | tuple[int, ...] | None = None,
        verbose: bool = False,
    ) -> tuple[list[int], list[int]]:
        """Corners of the next patch, as `nnUNetDataLoader.get_bbox` gives them, in a slice drawn by weight.

        A forced-foreground patch lies in a slice with foreground, if such a slice has a weight above 0.

        Parameters
        ----------
        data_shape : tuple of int
            Slices, rows and columns of the case that was loaded last.
        force_fg : bool
            Whether the patch is centred on foreground.
        class_locations : dict of int to ndarray, shape (voxels, 4)
            Label to some of its voxels: channel, slice, row and column.
        overwrite_class, verbose
            See nnU-Net.

        Returns
        -------
        list of int, list of int
            Lower and upper corner: slice, row and column.
        """
        weights = self._data.weights_of_loaded_case()
        if force_fg:
            with_foreground = weights * _foreground_slices(class_locations, data_shape[0])
            weights = with_foreground if with_foreground.any() else weights
        z = np.random.choice(len(weights), p=weights / weights.sum())
        shift = np.array([0, z, 0, 0])
        in_slice = {label: found[found[:, 1] == z] - shift for label, found in class_locations.items() if len(found)}
        lower, upper = super().get_bbox((1, *data_shape[1:]), force_fg, in_slice, overwrite_class, verbose)
        return [lower[0] + z, *lower[1:]], [upper[0] + z, *upper[1:]]


def _foreground_slices(class_locations: dict[int, np.ndarray], slices: int) -> np.ndarray:
    """Whether each slice has foreground, shape (slices,)."""
    found = [locations[:, 1] for locations in class_locations.values() if len(locations)]
    return np.bincount(np.concatenate(found), minlength=slices) > 0 if found else np.zeros(slices, bool)


class DatasetOfSlices:
    """An nnU-Net data set that knows a number of each slice of the case it loaded last.

    Parameters
    ----------
    dataset : nnUNetBaseDataset
        Cases without numbers are left out.
    numbers : dict of str to ndarray
        Case to the numbers of all its slices, also of those that nnU-Net's cropping removed.
    """

    def __init__(self, dataset: nnUNetBaseDataset, numbers: dict[str, np.ndarray]) -> None:
        self._dataset = dataset
        self._numbers = numbers
        self._loaded = np.empty(0)
        self.identifiers = [case for case in dataset.identifiers if case in numbers]

    def load_case(self, identifier: str) -> tuple:
        """Load a case as nnU-Net's data set does, and remember the numbers of its slices."""
        data, segmentation, previous, properties = self._dataset.load_case(identifier)
        first, last = properties["bbox_used_for_cropping"][0]
        self._loaded = self._numbers[identifier][first:last]
        return data, segmentation, previous, properties


class WeightedDataset(DatasetOfSlices):
    """A data set whose slices have weights."""

    def weights_of_loaded_case(self) -> np.ndarray:
        """Weights of the case that was loaded last, for the slices that nnU-Net's cropping kept, shape (slices,)."""
        return self._loaded


class RegionDataset(DatasetOfSlices):
    """A data set whose slices have regions, as indices into `SLICE_CLASSES`."""

    def regions_of_loaded_case(self) -> np.ndarray:
        """Regions of the case that was loaded last, for the slices that nnU-Net's cropping kept, shape (slices,)."""
        return self._loaded


def slice_regions(slices: pd.DataFrame) -> dict[str, np.ndarray]:
    """Case to the reference region of each of its slices, as indices into `SLICE_CLASSES`, shape (slices,).

    Parameters
    ----------
    slices : DataFrame
        `slices.csv`: case, slice, region.
    """
    indices = slices.assign(region=slices["region"].map(SLICE_CLASSES.index)).sort_values(["case", "slice"])
    return {case: rows["region"].to_numpy() for case, rows in indices.groupby("case")}


class RegionDataLoader(nnUNetDataLoader):
    """nnU-Net's loader, with the reference region of each drawn slice in the batch, under the key ``region``.

    It draws nothing itself, so that its batches are those of nnU-Net's loader. Its data are a `RegionDataset`.
    """

    def get_bbox(self, *arguments: Any, **options: Any) -> tuple[list[int], list[int]]:
        """Corners of the next patch, as `nnUNetDataLoader.get_bbox` gives them; the region of its slice is noted."""
        lower, upper = super().get_bbox(*arguments, **options)
        self._drawn.append(int(self._data.regions_of_loaded_case()[lower[0]]))
        return lower, upper

    def generate_train_batch(self) -> dict:
        """nnU-Net's batch, and ``region``, int64, shape (batch,)."""
        self._drawn: list[int] = []
        batch = super().generate_train_batch()
        return {**batch, "region": torch.tensor(self._drawn)}
