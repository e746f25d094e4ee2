"""The decoders of a joint model as models of one region each, so that a router can choose and mix them.

A joint network weighs its decoders by its own head, slice by slice. With its decoders as models of their own, any
router does that instead: by the head's probabilities as read from the whole stack, or by the reference regions.
"""

from collections.abc import Mapping

import torch
from torch import nn

from cmrslices.labels import SLICE_CLASSES
from cmrslices.prediction.sliding_window import Segmenter
from cmrslices.segmentation.joint_network import JointUNet


class RegionDecoder(nn.Module):
    """The encoder of a joint network and its decoder of one region; it shares their weights.

    Parameters
    ----------
    joint : JointUNet
    region : str
        An entry of `SLICE_CLASSES`.
    """

    def __init__(self, joint: JointUNet, region: str) -> None:
        super().__init__()
        self.encoder = joint.encoder
        self.decoder = joint.decoder[SLICE_CLASSES.index(region)]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``(n, labels, y, x)`` of slices ``(n, channels, y, x)``."""
        return self.decoder(self.encoder(images))


def decoder_names(model: str) -> dict[str, str]:
    """Return for each of `SLICE_CLASSES` the name of the decoder of a joint model.

    Parameters
    ----------
    model : str
        The model's name, in which there is no slash.

    Examples
    --------
    >>> decoder_names("joint")["apex"]
    'joint/apex'
    """
    return {region: f"{model}/{region}" for region in SLICE_CLASSES}


def named_models(approach: dict) -> dict:
    """Return an approach whose key `models` names the decoders, if it has the key `decoders_of`.

    Parameters
    ----------
    approach : dict
        A row of the configuration's `approaches`.
    """
    return {**approach, "models": decoder_names(approach["decoders_of"])} if "decoders_of" in approach else approach


def with_decoders(segmenters: Mapping[str, Segmenter]) -> dict[str, Segmenter]:
    """Return models, and the decoders of those that are joint; see `decoder_names`.

    Parameters
    ----------
    segmenters : mapping of str to Segmenter
        Name of each model to the model.
    """
    decoders = {
        name: segmenter._replace(network=RegionDecoder(segmenter.network, region))
        for model, segmenter in segmenters.items()
        if isinstance(segmenter.network, JointUNet)
        for region, name in decoder_names(model).items()
    }
    return {**segmenters, **decoders}
