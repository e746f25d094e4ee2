"""The decoders of a joint model as models of one region each."""

import pytest
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from tiny_plans import ARCHITECTURE, PATCH
from torch import nn

from cmrslices.labels import SLICE_CLASSES
from cmrslices.prediction.decoders import with_decoders
from cmrslices.prediction.sliding_window import Segmenter
from cmrslices.segmentation.joint_network import joint_architecture

IMAGES = torch.randn(3, 1, *PATCH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def joint():
    torch.manual_seed(0)
    named = joint_architecture(ARCHITECTURE)
    arguments = (named["network_class_name"], named["arch_kwargs"], named["_kw_requires_import"], 1, 4)
    return get_network_from_plans(*arguments, allow_init=True, deep_supervision=False).eval()


def segmenter(network):
    return Segmenter(network, [()], None, None, {})


def test_a_joint_model_has_a_decoder_for_each_region_and_other_models_have_none(joint):
    found = with_decoders({"joint": segmenter(joint), "other": segmenter(nn.Identity())})
    assert list(found) == ["joint", "other", *(f"joint/{region}" for region in SLICE_CLASSES)]


def test_mixed_by_the_heads_probabilities_the_decoders_give_the_joint_networks_own_output(joint):
    found = with_decoders({"joint": segmenter(joint)})
    weights = joint.region_probabilities(IMAGES)
    of_decoders = [found[f"joint/{region}"].logits(IMAGES).softmax(dim=1) for region in SLICE_CLASSES]
    mixed = sum(weight[:, None, None, None] * part for weight, part in zip(weights.T, of_decoders, strict=True))
    torch.testing.assert_close(mixed, joint(IMAGES).exp(), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(of_decoders[0], of_decoders[1])


def test_the_decoders_take_no_memory_of_their_own(joint):
    own = {weight.data_ptr() for weight in joint.parameters()}
    for model in with_decoders({"joint": segmenter(joint)}).values():
        assert {weight.data_ptr() for weight in model.network.parameters()} <= own
