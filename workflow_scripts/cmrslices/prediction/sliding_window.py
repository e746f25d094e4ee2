"""Trained segmenters: nnU-Net's sliding window, applied to the slices or stacks of many cases together."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from cmrslices.runtime.checkpoints import read_weights
from cmrslices.segmentation.channels_last import channels_last

STEP = 0.5
"""Distance of neighbouring tiles, as a share of a tile's size."""

PIXELS_PER_BATCH = {"cpu": 2**18, "cuda": 2**22}
"""Pixels that a network is given at once. On a CPU more are not faster; on a GPU these take about 2 GB."""


class Tile(NamedTuple):
    """Part of a slice or stack that a network is given, and each pixel's share in the mean of overlapping tiles."""

    model: str
    stack: int
    where: tuple[int | slice, ...]  # slice or slices, rows and columns
    share: torch.Tensor


class Segmenter(NamedTuple):
    """A trained network, the axes to mirror before each of its passes, and nnU-Net's description of it."""

    network: nn.Module
    mirrored_axes: list[tuple[int, ...]]
    plans: PlansManager
    configuration: ConfigurationManager
    dataset: dict

    @property
    def labels(self) -> LabelManager:
        """nnU-Net's description of the network's outputs."""
        return self.plans.get_label_manager(self.dataset)

    @property
    def patch(self) -> tuple[int, ...]:
        """Size of a tile: [y, x] in pixels, in 3D [z, y, x]."""
        return tuple(self.configuration.patch_size)

    def logits(self, tiles: torch.Tensor) -> torch.Tensor:
        """Mean of the network's outputs for the mirrored tiles.

        Parameters
        ----------
        tiles : Tensor (n, 1, y, x), in 3D (n, 1, z, y, x)

        Returns
        -------
        Tensor (n, labels, y, x), in 3D (n, labels, z, y, x)
            float32.
        """
        total = sum(self.network(tiles.flip(axes)).float().flip(axes) for axes in self.mirrored_axes)
        return total / len(self.mirrored_axes)


def load_segmenter(weights: str | Path, mirroring: bool, device: torch.device) -> tuple[str, Segmenter]:
    """Load a trained model.

    Parameters
    ----------
    weights : path
        `checkpoint_final.pth` in an nnU-Net model folder's `fold_0`.
    mirroring : bool
        Whether to average over mirrored tiles, as nnU-Net does.
    device : torch.device
        Where the network runs.

    Returns
    -------
    str, Segmenter
        The model's name and the model.
    """
    folder = Path(weights).parents[1]
    dataset = json.loads((folder / "dataset.json").read_text())
    plans = PlansManager(json.loads((folder / "plans.json").read_text()))
    checkpoint = read_weights(weights)
    model = checkpoint["init_args"]["configuration"]
    configuration = plans.get_configuration(model)
    with torch.device("meta"):  # draws no initial weights, because the trained ones replace them
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            len(dataset["channel_names"]),
            plans.get_label_manager(dataset).num_segmentation_heads,
            allow_init=False,
            deep_supervision=False,
        )
    network.load_state_dict(checkpoint["network_weights"], assign=True)
    network.to(device).eval()
    if device.type == "cpu":
        network = channels_last(network)
    axes = [axis + 2 for axis in checkpoint["inference_allowed_mirroring_axes"] or ()] if mirroring else []
    mirrored = [chosen for count in range(len(axes) + 1) for chosen in itertools.combinations(axes, count)]
    return model, Segmenter(network, mirrored, plans, configuration, dataset)


def routed_logits(
    stacks: Sequence[torch.Tensor], models: Sequence[Sequence[str]], segmenters: Mapping[str, Segmenter]
) -> list[torch.Tensor]:
    """Logits of each slice, computed by its own 2D model.

    Parameters
    ----------
    stacks : sequence of Tensor (1, z, y, x)
        Preprocessed cases, in plane no smaller than a tile, on the device of the networks.
    models : sequence of sequence of str
        The model of each slice of each stack. The logits of a slice are 0 if `segmenters` lacks its model.
    segmenters : mapping of str to Segmenter
        Name of each model to the model. All have the same patch size and labels.

    Returns
    -------
    list of Tensor (labels, z, y, x)
        float32.
    """
    patch = next(iter(segmenters.values())).patch
    tiles = [
        Tile(model, number, (index, *place), share)
        for number, (stack, of_slice) in enumerate(zip(stacks, models, strict=True))
        for *place, share in places(stack, patch)
        for index, model in enumerate(of_slice)
        if model in segmenters
    ]
    return _means(stacks, tiles, segmenters)


def stack_logits(stacks: Sequence[torch.Tensor], model: str, segmenter: Segmenter) -> list[torch.Tensor]:
    """Logits of whole stacks by a 3D model.

    Parameters
    ----------
    stacks : sequence of Tensor (1, z, y, x)
        Cases as preprocessed for 3D, on no axis smaller than a tile, on the device of the network.
    model, segmenter
        The model's name and the model.

    Returns
    -------
    list of Tensor (labels, z, y, x)
        float32.
    """
    tiles = [
        Tile(model, number, tuple(place), share)
        for number, stack in enumerate(stacks)
        for *place, share in places(stack, segmenter.patch)
    ]
    return _means(stacks, tiles, {model: segmenter})


@torch.inference_mode()
def _means(
    stacks: Sequence[torch.Tensor], tiles: Sequence[Tile], segmenters: Mapping[str, Segmenter]
) -> list[torch.Tensor]:
    """Mean of the logits of the tiles in every voxel, by the tiles' shares."""
    any_of_them = next(iter(segmenters.values()))
    tiles_per_batch = max(1, PIXELS_PER_BATCH[stacks[0].device.type] // math.prod(any_of_them.patch))
    logits = [stack.new_zeros((any_of_them.labels.num_segmentation_heads, *stack.shape[1:])) for stack in stacks]
    for model in sorted({tile.model for tile in tiles}):
        own = [tile for tile in tiles if tile.model == model]
        for batch in (own[first : first + tiles_per_batch] for first in range(0, len(own), tiles_per_batch)):
            images = torch.stack([stacks[tile.stack][:, *tile.where] for tile in batch])
            for tile, predicted in zip(batch, segmenters[model].logits(images), strict=True):
                logits[tile.stack][:, *tile.where] += predicted * tile.share
    return logits


def places(stack: torch.Tensor, patch: tuple[int, ...]) -> list[tuple]:
    """Where nnU-Net puts the tiles on each slice of a stack, or on the whole stack.

    Parameters
    ----------
    stack : Tensor (1, z, y, x)
    patch : tuple of int
        Size of a tile: [y, x] on slices, [z, y, x] on the stack.

    Returns
    -------
    list of (slice, slice, Tensor), in 3D of (slice, slice, slice, Tensor)
        In 3D slices; rows, columns, and the tile's share in each pixel: nnU-Net's Gaussian divided by the sum of the
        Gaussians of all tiles.
    """
    size = stack.shape[-len(patch) :]
    gaussian = compute_gaussian(patch, sigma_scale=1 / 8, value_scaling_factor=10, device=stack.device).float()
    corners = itertools.product(*compute_steps_for_sliding_window(size, patch, STEP))
    found = [tuple(slice(first, first + side) for first, side in zip(corner, patch, strict=True)) for corner in corners]
    total = stack.new_zeros(size)
    for place in found:
        total[place] += gaussian
    return [(*place, gaussian / total[place]) for place in found]
