"""The network that names the region of a slice and segments it by that region's decoder."""

import pytest
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from tiny_plans import ARCHITECTURE, PATCH
from torch.nn import functional

from cmrslices.labels import SLICE_CLASSES
from cmrslices.segmentation.channels_last import channels_last
from cmrslices.segmentation.joint_network import JointUNet, joint_architecture, mixed

LABELS = 4
REGIONS = torch.tensor([2, 0, 3, 2, 3])
IMAGES = torch.randn(len(REGIONS), 1, *PATCH, generator=torch.Generator().manual_seed(1))


def build(deep_supervision):
    torch.manual_seed(0)
    named = joint_architecture(ARCHITECTURE)
    arguments = (named["network_class_name"], named["arch_kwargs"], named["_kw_requires_import"], 1, LABELS)
    return get_network_from_plans(*arguments, allow_init=True, deep_supervision=deep_supervision)


@pytest.fixture
def network():
    return build(False).eval()


@pytest.fixture
def training():
    network = build(True)
    network.regions = REGIONS
    return network


def name_always(network, region):
    """Let the head be certain of one region, whatever it sees."""
    bias = torch.full((len(SLICE_CLASSES),), -torch.inf)
    bias[region] = 0.0
    with torch.no_grad():
        network.head[-1].weight.zero_()
        network.head[-1].bias.copy_(bias)


def test_nnunet_builds_it_by_its_name_in_the_plans(network):
    assert isinstance(network, JointUNet)
    assert len(network.decoder) == len(SLICE_CLASSES)


def test_its_shared_encoder_is_counted_once(network):
    unet = get_network_from_plans(*ARCHITECTURE.values(), 1, LABELS, deep_supervision=False)
    decoder = sum(weights.numel() for name, weights in unet.decoder.named_parameters() if "encoder" not in name)
    head = sum(weights.numel() for weights in network.head.parameters())
    joint = sum(weights.numel() for weights in network.parameters())
    assert joint == sum(weights.numel() for weights in unet.parameters()) + 3 * decoder + head


def test_the_head_sees_the_last_three_stages(network):
    assert network.head[-1].in_features == sum(ARCHITECTURE["arch_kwargs"]["features_per_stage"][-3:])


def test_the_head_tells_slices_apart_whose_means_hardly_differ(training):
    means = torch.cat([stage.mean(dim=(2, 3)) for stage in training.encoder(IMAGES)], dim=1)
    *_, region_logits = training(IMAGES)
    assert means.std(dim=0).mean() < 0.05
    assert region_logits.std(dim=0).mean() > 0.2


def test_region_probabilities_add_up_to_one(network):
    probabilities = network.region_probabilities(IMAGES)
    assert probabilities.shape == (len(IMAGES), len(SLICE_CLASSES))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(IMAGES)))


def test_the_output_is_the_log_of_the_decoders_probabilities_weighted_by_the_regions(network):
    skips = network.encoder(IMAGES)
    weights = network.region_probabilities(IMAGES).double()
    labels = torch.stack([functional.softmax(decoder(skips).double(), dim=1) for decoder in network.decoder])
    expected = torch.einsum("nr,rnlyx->nlyx", weights, labels)
    output = network(IMAGES)
    torch.testing.assert_close(output.double().exp(), expected)
    torch.testing.assert_close(functional.softmax(output, dim=1).double(), expected)  # what nnU-Net's exporter takes


@pytest.mark.parametrize("region", range(len(SLICE_CLASSES)), ids=SLICE_CLASSES)
def test_a_head_that_is_certain_gives_exactly_that_regions_decoder(network, region):
    name_always(network, region)
    decoded = network.decoder[region](network.encoder(IMAGES))
    assert torch.equal(network(IMAGES), functional.log_softmax(decoded, dim=1))


def test_a_label_that_no_decoder_gives_has_a_finite_log():
    logits = torch.tensor([0.0, -1000.0]).reshape(1, 2, 1, 1)
    output = mixed(torch.zeros(1, 2), [logits, logits])
    assert output.flatten().tolist() == pytest.approx([0, -1000])


def test_in_training_each_slice_is_segmented_by_the_decoder_of_its_region(training):
    *levels, region_logits = training(IMAGES)
    assert region_logits.shape == (len(IMAGES), len(SLICE_CLASSES))
    assert [level.shape[2:] for level in levels] == [PATCH, (PATCH[0] // 2, PATCH[1] // 2)]
    for index, region in enumerate(REGIONS):
        alone = training.decoder[region](training.encoder(IMAGES[index : index + 1]))
        for level, own in zip(levels, alone, strict=True):
            torch.testing.assert_close(level[index : index + 1], own)


def test_decoders_of_other_regions_get_no_gradient_from_a_slice(training):
    *levels, _ = training(IMAGES)
    levels[0][0].square().sum().backward()  # its region is 2
    learned = {
        number
        for number, decoder in enumerate(training.decoder)
        for name, weights in decoder.named_parameters()
        if not name.startswith("encoder") and weights.grad is not None and weights.grad.any()
    }
    assert learned == {2}
    assert any(weights.grad.any() for weights in training.encoder.parameters())


def test_a_batch_of_one_region_is_segmented_too(training):
    training.regions = torch.full((len(IMAGES),), 1)
    *levels, _ = training(IMAGES)
    torch.testing.assert_close(levels[0], training.decoder[1](training.encoder(IMAGES))[0])


def test_its_weights_have_the_same_names_in_training_and_in_prediction(network, training):
    assert list(network.state_dict()) == list(training.state_dict())


def test_deep_supervision_of_all_decoders_is_switched_as_nnunets_trainer_does(training):
    training.decoder.deep_supervision = False
    assert not any(decoder.deep_supervision for decoder in training.decoder)
    assert isinstance(training(IMAGES), torch.Tensor)


def test_channels_last_computes_the_same(network, training):
    training.head.eval()
    expected, levels = network(IMAGES), training(IMAGES)
    torch.testing.assert_close(channels_last(network)(IMAGES), expected)
    for one, other in zip(channels_last(training)(IMAGES), levels, strict=True):
        torch.testing.assert_close(one, other)


def test_under_reduced_precision_head_and_mixture_are_computed_in_float32(network):
    with torch.autocast("cpu", torch.bfloat16):
        output = network(IMAGES)
        probabilities = network.region_probabilities(IMAGES)
        means = torch.cat([stage.float().mean(dim=(2, 3)) for stage in network.encoder(IMAGES)[-3:]], dim=1)
    assert output.dtype == torch.float32
    torch.testing.assert_close(output.exp().sum(1), torch.ones(len(IMAGES), *PATCH))
    assert torch.equal(probabilities, functional.softmax(network.head(means), dim=1))
