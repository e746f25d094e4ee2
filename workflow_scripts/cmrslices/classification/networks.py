"""torchvision's classification networks, with one output per slice class."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
import torchvision
from torch import nn

from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError

AUXILIARY_HEADS = {"googlenet", "inception_v3"}
IMAGENET_CLASSES = 1000


def check_name(name: str) -> None:
    """Check that torchvision has the classification network.

    Raises
    ------
    InputError
        It has no network of that name; the message lists similar names.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        similar = difflib.get_close_matches(name, known, n=5) or ["alexnet", "densenet121", "resnet18"]
        raise InputError(
            f"classification.networks: torchvision has no classification network '{name}'; "
            f"name one that it has, such as {', '.join(similar)}"
        )


def build(name: str, image_size_px: int, initial: str | Path | None = None) -> nn.Module:
    """Build a network with one output per entry of `SLICE_CLASSES`.

    Parameters
    ----------
    name : str
        torchvision's name, such as ``densenet121``.
    image_size_px : int
        Side of the square slices that the network will be given.
    initial : path, optional
        torchvision's weight file of this network, of which all layers but the last are used. Without a file, the
        weights are drawn from torch's random generator.

    Returns
    -------
    torch.nn.Module
        Takes ``(n, 3, image_size_px, image_size_px)`` and returns logits ``(n, 4)``. See `classify_grey`.

    Raises
    ------
    InputError
        Unknown name, slices too small for the network, or a file that does not fit it.
    """
    check_name(name)
    network = _network(name, len(SLICE_CLASSES))
    if initial is not None:
        _load_all_but_head(network, name, Path(initial))
    _check_image_size(network, name, image_size_px)
    return network


def classify_grey(network: nn.Module, slices: torch.Tensor) -> torch.Tensor:
    """Return the logits ``(n, 4)`` of grey slices ``(n, 1, y, x)``; the network's three channels get the same slice."""
    return network(slices.expand(-1, 3, -1, -1))


def _network(name: str, outputs: int) -> nn.Module:
    options = {"aux_logits": False, "init_weights": True} if name in AUXILIARY_HEADS else {}
    return torchvision.models.get_model(name, weights=None, num_classes=outputs, **options)


def _load_all_but_head(network: nn.Module, name: str, file: Path) -> None:
    published = _published_layers(name)
    own = network.state_dict()
    head = {key for key in own if own[key].shape != published[key].shape}
    body = {key: value for key, value in _read_state(file).items() if key not in head and not _auxiliary(key)}
    try:
        missing, unexpected = network.load_state_dict(body, strict=False)
    except RuntimeError as fault:
        raise InputError(_misfit(file, name, str(fault).splitlines()[-1].strip())) from None
    if wrong := [*(set(missing) - head), *unexpected]:
        raise InputError(_misfit(file, name, f"missing or unknown: {sorted(wrong)[0]}"))


def _published_layers(name: str) -> Mapping[str, torch.Tensor]:
    """Layers in the shapes of the published weights; their values do not matter."""
    try:
        with torch.device("meta"):
            return _network(name, IMAGENET_CLASSES).state_dict()
    except NotImplementedError:  # a RegNet computes its widths with tensors, which need values
        with torch.random.fork_rng(devices=[]):
            return _network(name, IMAGENET_CLASSES).state_dict()


def _read_state(file: Path) -> Mapping[str, torch.Tensor]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as fault:  # for a file of another kind, torch raises errors of many types
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InputError(f"{file}: not a file of weights ({reason}); use the file that torchvision publishes") from None
    # DenseNet's published names hold a dot that torchvision removes when it loads them.
    return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", key): state[key] for key in state}


def _auxiliary(key: str) -> bool:
    return key.lower().startswith("aux")


def _misfit(file: Path, name: str, reason: str) -> str:
    return f"{file}: does not fit the network '{name}' ({reason}); use the file that torchvision publishes for it"


def _check_image_size(network: nn.Module, name: str, image_size_px: int) -> None:
    was_training = network.training
    try:
        with torch.inference_mode():
            classify_grey(network.eval(), torch.zeros(1, 1, image_size_px, image_size_px))
    except (RuntimeError, AssertionError) as fault:
        raise InputError(
            f"classification.image_size_px: '{name}' cannot take slices of {image_size_px} x {image_size_px} px "
            f"({str(fault).splitlines()[0]}); 224 is what it was made for"
        ) from None
    finally:
        network.train(was_training)
