import pytest
import torch
from torch import nn

from cmrslices.segmentation.channels_last import channels_last


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.Sequential(nn.InstanceNorm2d(8, affine=True), nn.LeakyReLU(inplace=True)),
        nn.Conv2d(8, 3, 1),
    )
    nn.init.uniform_(network[1][0].weight, 0.5, 2)
    nn.init.uniform_(network[1][0].bias, -1, 1)
    return network.double()


def gradients(network, tiles):
    network.zero_grad()
    network(tiles).square().mean().backward()
    return {name: weight.grad.clone() for name, weight in network.named_parameters()}


@pytest.mark.parametrize("slices", [1, 3])
def test_it_computes_the_same(network, slices):
    tiles = torch.randn(slices, 1, 20, 28, dtype=torch.float64)
    expected = network(tiles)
    torch.testing.assert_close(channels_last(network)(tiles), expected)


def test_it_learns_the_same(network):
    tiles = torch.randn(3, 1, 20, 28, dtype=torch.float64)
    expected = gradients(network, tiles)
    torch.testing.assert_close(gradients(channels_last(network), tiles), expected)


def test_activations_stay_channels_last(network):
    activations = channels_last(network)[:2](torch.randn(3, 1, 20, 28, dtype=torch.float64))
    assert activations.is_contiguous(memory_format=torch.channels_last)


def test_the_weights_keep_their_names_and_are_the_optimisers(network):
    names, weights = list(network.state_dict()), list(network.parameters())
    channels_last(network)
    assert list(network.state_dict()) == names
    assert all(one is other for one, other in zip(network.parameters(), weights, strict=True))


def test_a_network_for_stacks_stays_as_it_is():
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.InstanceNorm3d(2))
    assert channels_last(network) is network
    assert isinstance(network[1], nn.InstanceNorm3d)
    assert network[0].weight.is_contiguous()
