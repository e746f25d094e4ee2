"""torchvision networks with four outputs, and their weight files."""

import hashlib

import pytest
import torch
import torchvision

from cmrslices.classification.networks import build, classify_grey
from cmrslices.classification.pretrained import download
from cmrslices.runtime.errors import InputError

PAPER = ["alexnet", "densenet121", "mobilenet_v2", "resnet18", "shufflenet_v2_x1_0", "squeezenet1_0", "vgg11_bn"]


@pytest.fixture
def published(tmp_path):
    """Write a network's 1000-class weights as torchvision publishes them; return the network and its file."""

    def write(name, **options):
        network = torchvision.models.get_model(name, weights=None, **options)
        file = tmp_path / f"{name}.pth"
        torch.save(network.state_dict(), file)
        return network, file

    return write


@pytest.mark.parametrize("name", PAPER)
def test_networks_of_the_paper_give_four_logits_per_grey_slice(name):
    network = build(name, image_size_px=64).eval()
    assert classify_grey(network, torch.zeros(2, 1, 64, 64)).shape == (2, 4)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_auxiliary_heads_are_built_without_them(name, published):
    network, file = published(name, init_weights=False)
    built = build(name, 96, file)
    assert torch.equal(next(built.parameters()), next(network.parameters()))
    assert isinstance(built.train()(torch.zeros(2, 3, 96, 96)), torch.Tensor)


def test_unknown_network_is_refused_with_similar_names():
    with pytest.raises(InputError, match=r"'resnet19'.*resnet18"):
        build("resnet19", image_size_px=64)


@pytest.mark.parametrize("name", ["alexnet", "inception_v3"])
def test_slices_too_small_for_the_network_are_refused(name):
    with pytest.raises(InputError, match=rf"image_size_px: '{name}' cannot take slices of 24 x 24 px"):
        build(name, image_size_px=24)


def test_initial_weights_reach_all_layers_but_the_last(published):
    network, file = published("squeezenet1_1")
    published_state = network.state_dict()
    for key, value in build("squeezenet1_1", 64, file).state_dict().items():
        if key.startswith("classifier.1."):
            assert value.shape[0] == 4
        else:
            assert torch.equal(value, published_state[key]), key


def test_initial_weights_reach_a_network_that_computes_its_widths_with_tensors(published):
    network, file = published("regnet_x_400mf")
    torch.manual_seed(0)
    drawn = build("regnet_x_400mf", 64).state_dict()["fc.weight"]
    torch.manual_seed(0)
    built = build("regnet_x_400mf", 64, file).state_dict()
    assert torch.equal(built["stem.0.weight"], network.state_dict()["stem.0.weight"])
    assert torch.equal(built["fc.weight"], drawn)


def test_densenets_published_names_with_a_dot_are_understood(tmp_path):
    state = torchvision.models.densenet121(weights=None).state_dict()
    old = {}
    for key, value in state.items():
        if "num_batches_tracked" in key:
            continue
        for part in ("norm", "conv"):
            key = key.replace(f".{part}1.", f".{part}.1.").replace(f".{part}2.", f".{part}.2.")
        old[key] = value
    torch.save(old, tmp_path / "old.pth")
    built = build("densenet121", 64, tmp_path / "old.pth").state_dict()
    layer = "features.denseblock1.denselayer1.conv2.weight"
    assert torch.equal(built[layer], state[layer])


def test_weights_of_another_network_are_refused(published):
    _, file = published("squeezenet1_0")
    with pytest.raises(InputError, match=r"squeezenet1_0\.pth: does not fit the network 'squeezenet1_1'"):
        build("squeezenet1_1", 64, file)


def test_incomplete_weights_are_refused_naming_what_is_missing(published):
    network, file = published("squeezenet1_1")
    state = network.state_dict()
    del state["features.0.weight"]
    torch.save(state, file)
    with pytest.raises(InputError, match=r"features\.0\.weight"):
        build("squeezenet1_1", 64, file)


def test_a_pickle_that_holds_code_is_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "code.pth")
    with pytest.raises(InputError, match=r"code\.pth: not a file of weights"):
        build("squeezenet1_1", 64, tmp_path / "code.pth")


def hashed_file(folder, content=b"weights"):
    file = folder / f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    file.write_bytes(content)
    return file


def test_a_download_with_the_right_hash_is_kept(tmp_path):
    download(hashed_file(tmp_path).as_uri(), tmp_path / "new/net.pth")
    assert (tmp_path / "new/net.pth").read_bytes() == b"weights"


def test_a_download_with_a_wrong_hash_leaves_nothing(tmp_path):
    source = hashed_file(tmp_path)
    source.write_bytes(b"damaged")
    with pytest.raises(InputError, match="damaged"):
        download(source.as_uri(), tmp_path / "new/net.pth")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_failed_download_names_the_address_and_the_remedies(tmp_path):
    url = (tmp_path / "absent-0123abcd.pth").as_uri()
    with pytest.raises(InputError, match=r"absent-0123abcd\.pth.*classification\.initial_weights.*none"):
        download(url, tmp_path / "new/net.pth")
    assert list((tmp_path / "new").iterdir()) == []
