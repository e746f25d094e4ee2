"""The networks of a bundle: unpickled as tensors only, and built before anything is computed."""

import json
import pickle
from pathlib import Path

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet

from cmrslices.classification import networks
from cmrslices.prediction.bundle import MANIFEST, Bundle, classifier_file, open_bundle
from cmrslices.prediction.sliding_window import load_segmenter
from cmrslices.runtime.checkpoints import read_weights
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.provenance import versions
from cmrslices.segmentation.joint_network import JointUNet

TRAINED = (PlainConvUNet, ResidualEncoderUNet, JointUNet)
"""The networks that this workflow trains. Plans name the class to build, and nnU-Net would import any other class."""
ARCHITECTURES = [f"{network.__module__}.{network.__name__}" for network in TRAINED]
LAYERS = [
    None,
    *(f"torch.nn.modules.{layer}{axes}d" for layer in ("conv.Conv", "instancenorm.InstanceNorm") for axes in (2, 3)),
    "torch.nn.LeakyReLU",
]
"""The layers of these networks, as nnU-Net's plans name them for import."""


def checked_bundle(folder: str) -> Bundle:
    """Open a bundle, unpickle nothing but tensors, and build all of its networks, before anything is computed.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        As by `cmrslices.prediction.bundle.open_bundle`; a file of weights holds something else; or a network cannot be
        built by what is installed, and the message tells the versions.
    """
    bundle = open_bundle(folder)
    for name in bundle.content["files"]:
        if name.endswith(".pth"):
            _check_weights(bundle.file(name))
    for model in bundle.content["models"]:
        _check_segmenter(bundle, model)
    for network in bundle.networks:
        _check_classifier(bundle, network)
    others = _other_versions(bundle)
    print(f"bundle {bundle.folder}: {bundle.content['name']}, SHA-256 of {MANIFEST} {bundle.digest}")
    print(f"made with {others or 'the versions that are installed here'}", flush=True)
    return bundle


def _check_weights(file: str) -> None:
    try:
        torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as fault:
        reason = str(fault).splitlines()[0]  # torch adds advice for programmers
        raise InputError(
            f"{file}: holds something else than tensors, numbers and text, and is not read ({reason}); use a bundle "
            "that bundle.py made"
        ) from None


def _check_segmenter(bundle: Bundle, model: str) -> None:
    weights = bundle.weights(model)
    plans = bundle.file(f"models/{model}/plans.json")
    bundle.file(f"models/{model}/dataset.json")
    for configuration in json.loads(Path(plans).read_text())["configurations"].values():
        architecture = configuration.get("architecture", {"network_class_name": ARCHITECTURES[0]})
        layers = [architecture["arch_kwargs"].get(key) for key in architecture.get("_kw_requires_import", ())]
        if architecture["network_class_name"] not in ARCHITECTURES or any(layer not in LAYERS for layer in layers):
            raise InputError(
                f"{plans}: names a network or a layer that this workflow does not train; {_made_with(bundle)}"
            )
    try:
        load_segmenter(weights, False, torch.device("cpu"))
    except Exception as fault:
        raise InputError(f"{weights}: {_not_built(fault)}; {_made_with(bundle)}") from fault


def _check_classifier(bundle: Bundle, network: str) -> None:
    file = bundle.file(classifier_file(network))
    try:
        trained = read_weights(file)
        networks.build(trained["network"], trained["image_size_px"]).load_state_dict(trained["state_dict"])
    except Exception as fault:
        raise InputError(f"{file}: {_not_built(fault)}; {_made_with(bundle)}") from fault


def _not_built(fault: Exception) -> str:
    reason = (str(fault).splitlines() or [""])[0]
    return f"what is installed here cannot build this network ({type(fault).__name__}: {reason})"


def _made_with(bundle: Bundle) -> str:
    others = _other_versions(bundle) or "the same versions as here"
    return f"the bundle was made with {others}; install those, or make the bundle anew"


def _other_versions(bundle: Bundle) -> str:
    """The packages whose version is not that of the bundle, with both."""
    here = versions()
    return ", ".join(
        f"{name} {version} (here {here.get(name, 'none')})"
        for name, version in bundle.content["versions"].items()
        if here.get(name) != version
    )
