"""Trained segmenters: nnU-Net's sliding window, applied to the slices or stacks of many cases together."""

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from cmrslices.prediction.routing import Mixture
from cmrslices.runtime.checkpoints import read_weights
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.channels_last import channels_last
from cmrslices.segmentation.joint_network import JointUNet

STEP = 0.5
"""Distance of neighbouring tiles, as a share of a tile's size."""

PIXELS_PER_BATCH = {"cpu": 2**18, "cuda": 2**22}
"""Pixels that a network is given at once. On a CPU more are not faster; on a GPU these take about 2 GB."""


class Tile(NamedTuple):
    """Part of a slice or stack that is given to a network, and where its logits are added up."""

    image: torch.Tensor  # (1, y, x), in 3D (1, z, y, x)
    logits: torch.Tensor  # (labels, y, x), in 3D (labels, z, y, x), the sum over overlapping tiles
    share: torch.Tensor  # of this tile in each pixel's mean

    def add(self, predicted: torch.Tensor) -> None:
        """Add this tile's share of what a network predicted for it."""
        self.logits.add_(predicted * self.share)


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

        If the GPU's memory is too small for all tiles at once, each half of them is computed by itself.

        Parameters
        ----------
        tiles : Tensor (n, 1, y, x), in 3D (n, 1, z, y, x)

        Returns
        -------
        Tensor (n, labels, y, x), in 3D (n, labels, z, y, x)
            float32.
        """
        try:
            return self._logits_at_once(tiles)
        except torch.OutOfMemoryError:
            if len(tiles) == 1:
                raise
        print(f"the GPU's memory is too small for {len(tiles)} tiles at once; going on with half of them", flush=True)
        return torch.cat([self.logits(half) for half in tiles.tensor_split(2)])

    def _logits_at_once(self, tiles: torch.Tensor) -> torch.Tensor:
        total = sum(self.network(tiles.flip(axes)).float().flip(axes) for axes in self.mirrored_axes)
        return total / len(self.mirrored_axes)

    def region_probabilities(self, tiles: torch.Tensor) -> torch.Tensor:
        """Mean of a joint network's region probabilities for the mirrored tiles.

        Parameters
        ----------
        tiles : Tensor (n, 1, y, x)

        Returns
        -------
        Tensor (n, regions)
            Probabilities of `cmrslices.labels.SLICE_CLASSES`, float32.

        Raises
        ------
        InputError
            The network is no `JointUNet`.
        """
        if not isinstance(self.network, JointUNet):
            raise InputError("this model's network names no regions; give its row of models the key network: joint")
        passes = [self.network.region_probabilities(tiles.flip(axes)) for axes in self.mirrored_axes]
        return torch.stack(passes).mean(dim=0)


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


@torch.inference_mode()
def routed_logits(
    stacks: Sequence[torch.Tensor], mixtures: Sequence[Sequence[Mixture]], segmenters: Mapping[str, Segmenter]
) -> list[torch.Tensor]:
    """Logits of each slice, computed by its own 2D model or mixed from those of its models.

    A slice with one model has the logits of that model, to the bit. For mixtures see `mixed_logits`.

    Parameters
    ----------
    stacks : sequence of Tensor (1, z, y, x)
        Preprocessed cases, in plane no smaller than a tile, on the device of the networks.
    mixtures : sequence of sequence of dict of str to float
        The models of each slice of each stack, with their weights. The logits of a slice are 0 if `segmenters` lacks
        its models.
    segmenters : mapping of str to Segmenter
        Name of each model to the model. All have the same patch size and labels.

    Returns
    -------
    list of Tensor (labels, z, y, x)
        float32.
    """
    any_of_them = next(iter(segmenters.values()))
    logits = [_zeros(stack, any_of_them) for stack in stacks]
    tiles: dict[str, list[Tile]] = defaultdict(list)
    to_mix = []
    for stack, of_stack, mixtures_of_stack in zip(stacks, logits, mixtures, strict=True):
        found = places(stack, any_of_them.patch)
        for z, mixture in enumerate(mixtures_of_stack):
            if not mixture.keys() <= segmenters.keys():
                continue
            image, of_slice = stack[:, z], of_stack[:, z]
            of_model = {model: of_slice if len(mixture) == 1 else torch.zeros_like(of_slice) for model in mixture}
            for model, total in of_model.items():
                tiles[model] += [Tile(image[:, *place], total[:, *place], share) for *place, share in found]
            if len(mixture) > 1:
                to_mix.append((of_slice, of_model, mixture))
    for model, own in sorted(tiles.items()):
        _add_up(own, segmenters[model])
    for of_slice, of_model, mixture in to_mix:
        of_slice.copy_(mixed_logits(of_model, mixture))
    return logits


@torch.inference_mode()
def stack_logits(stacks: Sequence[torch.Tensor], segmenter: Segmenter) -> list[torch.Tensor]:
    """Logits of whole stacks by a 3D model.

    Parameters
    ----------
    stacks : sequence of Tensor (1, z, y, x)
        Cases as preprocessed for 3D, on no axis smaller than a tile, on the device of the network.
    segmenter : Segmenter

    Returns
    -------
    list of Tensor (labels, z, y, x)
        float32.
    """
    logits = [_zeros(stack, segmenter) for stack in stacks]
    tiles = [
        Tile(stack[:, *place], of_stack[:, *place], share)
        for stack, of_stack in zip(stacks, logits, strict=True)
        for *place, share in places(stack, segmenter.patch)
    ]
    _add_up(tiles, segmenter)
    return logits


def _zeros(stack: torch.Tensor, segmenter: Segmenter) -> torch.Tensor:
    """Logits of a stack to which nothing was added yet, (labels, z, y, x)."""
    return stack.new_zeros((segmenter.labels.num_segmentation_heads, *stack.shape[1:]))


def _add_up(tiles: Sequence[Tile], segmenter: Segmenter) -> None:
    """Add a model's logits of some tiles, each by its share, to the means that the tiles belong to."""
    device = tiles[0].image.device.type if tiles else "cpu"
    at_once = max(1, PIXELS_PER_BATCH[device] // math.prod(segmenter.patch))
    for batch in (tiles[first : first + at_once] for first in range(0, len(tiles), at_once)):
        images = torch.stack([tile.image for tile in batch])
        for tile, predicted in zip(batch, segmenter.logits(images), strict=True):
            tile.add(predicted)


def mixed_logits(logits: Mapping[str, torch.Tensor], mixture: Mixture) -> torch.Tensor:
    """Logits whose softmax is the weighted sum of the models' softmax.

    Parameters
    ----------
    logits : mapping of str to Tensor (labels, y, x)
        Those of each model.
    mixture : dict of str to float
        The weight of each model, above 0.

    Returns
    -------
    Tensor (labels, y, x)
        The logarithm of the sum. It stands in for logits wherever nnU-Net takes these, because the softmax of the
        logarithm of probabilities gives the probabilities again.
    """
    terms = [logits[model].log_softmax(dim=0) + math.log(weight) for model, weight in mixture.items()]
    return torch.logsumexp(torch.stack(terms), dim=0)


@torch.inference_mode()
def region_probabilities(stack: torch.Tensor, segmenter: Segmenter) -> torch.Tensor:
    """Probabilities of the region of each slice by the head of a joint network, as mean over the slice's tiles.

    Parameters
    ----------
    stack : Tensor (1, z, y, x)
        A preprocessed case, in plane no smaller than a tile, on the device of the network.
    segmenter : Segmenter
        Of a joint network.

    Returns
    -------
    Tensor (z, regions)
        Probabilities of `cmrslices.labels.SLICE_CLASSES`, float32.
    """
    found = places(stack, segmenter.patch)
    tiles = [stack[0, :, None, rows, columns] for rows, columns, _ in found]
    return torch.stack([segmenter.region_probabilities(of_place) for of_place in tiles]).mean(dim=0)


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
