"""Approach 1 and the region-specific models: how often each slice is drawn.

A policy is a row of the configuration's `models`: ``{"sampling": "uniform"}``,
``{"sampling": "quadratic", "ratio": 4}`` or ``{"sampling": "region", "region": "apex"}``.
"""

import numpy as np
import pandas as pd
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

from cmrslices.labels import NON_CARDIAC


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
        ``1 + (ratio - 1) (2 z - 1)^2``, scaled so that the cardiac slices' weights sum to their
        number; 1 for a non-cardiac slice, whose probability is then that of uniform sampling.

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
        Case to weights by slice index; cases without a slice to draw are left out.
        None for uniform sampling, which is nnU-Net's own.
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
    """nnU-Net's loader, with the slice of each case drawn by weight.

    Cases, the patch within the slice and the class that a forced-foreground patch is centred on
    are drawn by nnU-Net's own code.
    """

    def get_bbox(
        self,
        data_shape: tuple[int, ...],
        force_fg: bool,
        class_locations: dict | None,
        overwrite_class: int | tuple[int, ...] | None = None,
        verbose: bool = False,
    ) -> tuple[list[int], list[int]]:
        """Corners of the next patch, as nnU-Net's method gives them, in a slice drawn by weight."""
        weights = self._data.weights_of_loaded_case()
        if force_fg:
            with_foreground = weights * _foreground_slices(class_locations, data_shape[0])
            weights = with_foreground if with_foreground.any() else weights
        z = np.random.choice(len(weights), p=weights / weights.sum())
        shift = np.array([0, z, 0, 0])
        in_slice = {label: found[found[:, 1] == z] - shift for label, found in class_locations.items() if len(found)}
        lower, upper = super().get_bbox((1, *data_shape[1:]), force_fg, in_slice, overwrite_class, verbose)
        return [lower[0] + z, *lower[1:]], [upper[0] + z, *upper[1:]]


def _foreground_slices(class_locations: dict, slices: int) -> np.ndarray:
    found = [locations[:, 1] for locations in class_locations.values() if len(locations)]
    return np.bincount(np.concatenate(found), minlength=slices) > 0 if found else np.zeros(slices, bool)


class WeightedDataset:
    """An nnU-Net data set that knows the slice weights of the case it loaded last.

    Parameters
    ----------
    dataset : nnUNetBaseDataset
        Its identifiers are reduced to the cases that have weights.
    weights : dict of str to ndarray
        Case to weights by slice index, before nnU-Net's cropping.
    """

    def __init__(self, dataset: object, weights: dict[str, np.ndarray]) -> None:
        self._dataset = dataset
        self._weights = weights
        self._loaded = None
        self.identifiers = [case for case in dataset.identifiers if case in weights]

    def load_case(self, identifier: str) -> tuple:
        """Load a case as nnU-Net's data set does."""
        data, segmentation, previous, properties = self._dataset.load_case(identifier)
        first, last = properties["bbox_used_for_cropping"][0]
        self._loaded = self._weights[identifier][first:last]
        return data, segmentation, previous, properties

    def weights_of_loaded_case(self) -> np.ndarray:
        """Weights of the slices that cropping left of the case loaded last, shape (slices,)."""
        return self._loaded
