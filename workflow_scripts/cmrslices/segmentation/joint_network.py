"""One network that names the region of a slice and segments it by that region's decoder.

nnU-Net builds it by its name in the plans, see `joint_architecture`.
"""

from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from dynamic_network_architectures.building_blocks.unet_decoder import UNetDecoder
from torch import nn
from torch.nn import functional

from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.devices import on_device

POOLED_STAGES = 3
"""Last stages of the encoder that the region head sees."""


def joint_architecture(architecture: dict) -> dict:
    """The architecture of nnU-Net's plans with `JointUNet` in place of the U-Net, and with the same sizes.

    Parameters
    ----------
    architecture : dict
        ``architecture`` of a configuration whose network is nnU-Net's `PlainConvUNet`.
    """
    return {**architecture, "network_class_name": f"{JointUNet.__module__}.{JointUNet.__name__}"}


class Decoders(nn.ModuleList):
    """One of nnU-Net's decoders for each of `SLICE_CLASSES`; nnU-Net's trainer sets `deep_supervision` of a decoder."""

    @property
    def deep_supervision(self) -> bool:
        """Whether the decoders give all levels, as in training, or the finest one."""
        return bool(self[0].deep_supervision)

    @deep_supervision.setter
    def deep_supervision(self, enabled: bool) -> None:
        decoder: Any
        for decoder in self:
            decoder.deep_supervision = enabled


class JointUNet(nn.Module):
    """nnU-Net's `PlainConvUNet` with a region head and a decoder for each region (the wish that ends the paper).

    All decoders share one encoder. The head averages each of the encoder's last three stages over the slice and gives
    one logit for each of `SLICE_CLASSES`, see `region_head`. Non-cardiac slices are a region with a decoder of its own.

    Parameters
    ----------
    input_channels, num_classes, deep_supervision
        As nnU-Net gives them to every network.
    **planned
        The other arguments of `PlainConvUNet`, from the plans.
    """

    def __init__(self, input_channels: int, num_classes: int, deep_supervision: bool = False, **planned: Any) -> None:
        super().__init__()
        unet = PlainConvUNet(
            input_channels=input_channels, num_classes=num_classes, deep_supervision=deep_supervision, **planned
        )
        stages = planned["n_conv_per_stage_decoder"]
        others = [UNetDecoder(unet.encoder, num_classes, stages, deep_supervision) for _ in SLICE_CLASSES[1:]]
        self.encoder = unet.encoder
        self.decoder = Decoders([unet.decoder, *others])
        self.head = region_head(sum(self.encoder.output_channels[-POOLED_STAGES:]))
        self.regions: torch.Tensor | None = None
        """In training, the reference region of each slice of the next batch, as an index into `SLICE_CLASSES`, on the
        CPU; nnU-Net's steps give a network nothing but the images."""

    initialize = staticmethod(PlainConvUNet.initialize)

    def forward(self, images: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Segment slices ``(n, channels, y, x)``.

        Returns
        -------
        list of Tensor
            With deep supervision: each level's logits ``(n, labels, y, x)`` by the decoder of the slice's reference
            region, the finest level first, and as the last item the region logits ``(n, regions)``.
        Tensor ``(n, labels, y, x)``, float32
            Without: the log of the labels' probabilities, see `mixed`.
        """
        skips = self.encoder(images)
        region_logits = self._region_logits(skips)
        if self.decoder.deep_supervision:
            assert self.regions is not None  # the trainer sets them before every pass
            return [*self._by_region(skips, self.regions), region_logits]
        return mixed(region_logits, [decoder(skips) for decoder in self.decoder])

    def region_probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities of `SLICE_CLASSES`, ``(n, regions)`` in float32, of slices ``(n, channels, y, x)``."""
        return functional.softmax(self._region_logits(self.encoder(images)), dim=1)

    def _region_logits(self, skips: list[torch.Tensor]) -> torch.Tensor:
        """In float32: after instance normalisation, the means differ by less than half precision resolves."""
        with torch.autocast(skips[-1].device.type, enabled=False):
            means = [stage.float().mean(dim=(2, 3)) for stage in skips[-POOLED_STAGES:]]
            return self.head(torch.cat(means, dim=1))

    def _by_region(self, skips: list[torch.Tensor], regions: torch.Tensor) -> list[torch.Tensor]:
        """Each slice's levels by its own decoder, so that no other decoder computes or learns from it."""
        chosen = [torch.nonzero(regions == region).flatten() for region in range(len(self.decoder))]
        # One copy to a GPU instead of one for each decoder and stage.
        together = on_device(torch.cat(chosen), skips[-1].device)
        parts = [
            decoder([stage[own] for stage in skips])
            for decoder, own in zip(self.decoder, together.split([len(own) for own in chosen]), strict=True)
            if len(own)
        ]
        order = torch.argsort(together)
        return [torch.cat(level)[order] for level in zip(*parts, strict=True)]


def region_head(features: int) -> nn.Sequential:
    """One linear layer from a slice's features to the region logits, after batch normalisation.

    nnU-Net's instance normalisation takes mean and contrast of each feature map away, so that the means over a slice
    hardly differ from slice to slice. Batch normalisation makes the difference visible: without it, a head learns for
    long nothing but the most frequent region (tests/benchmarks/RESULTS.md).

    Parameters
    ----------
    features : int
    """
    return nn.Sequential(nn.BatchNorm1d(features), nn.Linear(features, len(SLICE_CLASSES)))


def mixed(region_logits: torch.Tensor, label_logits: list[torch.Tensor]) -> torch.Tensor:
    """Log of the labels' probabilities: the decoders' softmax, weighted by the head's.

    nnU-Net takes it for logits. That is right, because the softmax of log probabilities gives these probabilities.
    Where nnU-Net averages logits, over mirrored passes and overlapping tiles, it averages log probabilities here.

    Parameters
    ----------
    region_logits : Tensor ``(n, regions)``
    label_logits : list of Tensor ``(n, labels, y, x)``
        One for each region.

    Returns
    -------
    Tensor ``(n, labels, y, x)``
        float32.
    """
    weights = functional.log_softmax(region_logits, dim=1)
    labels = torch.stack([functional.log_softmax(logits.float(), dim=1) for logits in label_logits], dim=1)
    return torch.logsumexp(weights[:, :, None, None, None] + labels, dim=1)
