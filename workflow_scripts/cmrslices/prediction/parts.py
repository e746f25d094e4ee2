"""The parts of an approach: models that are given the same tiles, of the same preprocessed cases."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from acvl_utils.cropping_and_padding.padding import pad_nd_image
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape

from cmrslices.prediction.routing import Mixture
from cmrslices.prediction.sliding_window import Segmenter, routed_logits, stack_logits
from cmrslices.segmentation.preprocessed import kept_slices, read_preprocessed


class Stack(NamedTuple):
    """A preprocessed case, padded to no less than a tile."""

    voxels: torch.Tensor  # (1, z, y, x)
    unpadded: tuple[slice, ...]
    properties: dict

    @property
    def length(self) -> int:
        """Number of slices of the original image."""
        return self.properties["shape_before_cropping"][0]


class Part(NamedTuple):
    """The 2D models of an approach that have one patch size, or one of its 3D models.

    The models of a slice are all of one part. So each part segments some slices, and together they segment all. 3D
    models see whole stacks that were resampled to other slices. So what is put together are labels on the grid of the
    image.
    """

    segmenters: dict[str, Segmenter]
    store: str

    @property
    def any_segmenter(self) -> Segmenter:
        """One of the models; all have the same plan but for the network."""
        return next(iter(self.segmenters.values()))

    def slices(self, mixtures: Sequence[Mixture]) -> list[int]:
        """Indices of the slices that this part segments, given the models of each slice."""
        return [index for index, mixture in enumerate(mixtures) if mixture.keys() <= self.segmenters.keys()]

    def read(self, case: str, device: torch.device) -> Stack:
        """Read a preprocessed case and pad it, as nnU-Net does.

        Parameters
        ----------
        case : str
            Its name.
        device : torch.device
            Where it will be segmented. For a GPU it is put into pinned memory, from which it is copied faster.
        """
        preprocessed = read_preprocessed(self.store, case)
        voxels, unpadded = pad_nd_image(
            torch.from_numpy(preprocessed.voxels),
            self.any_segmenter.patch,
            "constant",
            {"value": 0},
            return_slicer=True,
        )
        voxels = voxels.pin_memory() if device.type == "cuda" else voxels
        return Stack(voxels, unpadded, preprocessed.properties)

    def logits(
        self, stacks: Sequence[Stack], mixtures: Sequence[Sequence[Mixture]], device: torch.device
    ) -> list[torch.Tensor]:
        """Logits of padded stacks, given the models of each slice of the original images.

        Returns
        -------
        list of Tensor (labels, z, y, x)
            In 2D, those of slices of other parts are 0.
        """
        voxels = [stack.voxels.to(device, non_blocking=True) for stack in stacks]
        if len(self.any_segmenter.patch) == 3:
            return stack_logits(voxels, self.any_segmenter)
        kept = [
            [of_slice[index] for index in kept_slices(stack.properties)]
            for stack, of_slice in zip(stacks, mixtures, strict=True)
        ]
        return routed_logits(voxels, kept, self.segmenters)

    def label_map(self, stack: Stack, logits: torch.Tensor) -> np.ndarray:
        """Resample logits to the image's grid and take the most probable labels, as nnU-Net does.

        Returns
        -------
        ndarray (z, y, x)
        """
        segmenter = self.any_segmenter
        return convert_predicted_logits_to_segmentation_with_correct_shape(
            logits[:, *stack.unpadded[1:]].cpu(),
            segmenter.plans,
            segmenter.configuration,
            segmenter.labels,
            stack.properties,
            num_threads_torch=torch.get_num_threads(),  # nnU-Net sets this number; its default would change ours
        )


def parts_of(segmenters: Mapping[str, Segmenter], slices: str | None, stacks: str | None) -> list[Part]:
    """Put the models of an approach together that can be given the same tiles.

    Parameters
    ----------
    segmenters : mapping of str to Segmenter
        Name of each model to the model.
    slices, stacks : path or None
        Folder of the cases as preprocessed for 2D models, and for 3D models; None where there is no such model.
    """
    groups: dict[tuple, dict[str, Segmenter]] = {}
    for name, segmenter in segmenters.items():
        key = (segmenter.patch, name) if len(segmenter.patch) == 3 else segmenter.patch
        groups.setdefault(key, {})[name] = segmenter
    return [
        Part(group, str(slices if len(next(iter(group.values())).patch) == 2 else stacks)) for group in groups.values()
    ]
