"""Segment a cohort with a bundle: the steps of the workflow that trained it, on the files of the bundle."""

import json
import pickle
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet

from cmrslices.classification import networks
from cmrslices.classification.extent_reading import FoundRates, write_extent_regions, write_weighed_regions
from cmrslices.classification.inference import classify
from cmrslices.classification.probabilities import write_selected_regions
from cmrslices.classification.readings import write_classifier_reading
from cmrslices.cohorts.regions import RegionRule
from cmrslices.prediction.bundle import (
    CALIBRATION,
    DATASET,
    MANIFEST,
    SELECTED,
    Bundle,
    classifier_file,
    open_bundle,
    plans_file,
)
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.prediction.extent import find_extent
from cmrslices.prediction.sliding_window import load_segmenter
from cmrslices.runtime.checkpoints import read_weights
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.provenance import versions
from cmrslices.segmentation.joint_network import JointUNet
from cmrslices.segmentation.preprocessing import preprocess_cohort

ARCHITECTURES = [
    f"{network.__module__}.{network.__name__}" for network in (PlainConvUNet, ResidualEncoderUNet, JointUNet)
]
"""The networks that this workflow trains. Plans name the class to build, and no other class of a bundle is imported."""
LAYERS = "torch.nn."
"""Where the layers lie that plans name."""


class Cohort(NamedTuple):
    """The preprocessed cases of a cohort, and which of them to segment.

    Attributes
    ----------
    stores : dict of str to str
        nnU-Net's configuration to the folder of the cases as preprocessed for it.
    splits : str
        The cohort's ``splits.csv``.
    """

    stores: dict[str, str]
    splits: str

    def stores_of(self, bundle: Bundle, models: list[str]) -> dict[str, str | None]:
        """The arguments ``store`` and ``store_3d`` of a prediction by some models."""
        needed = bundle.configurations(models)
        names = {"store": "2d", "store_3d": "3d_fullres"}
        return {key: self.stores[name] if name in needed else None for key, name in names.items()}


def preprocess_bundled(bundle: str, images: str, splits: str, threads: int, store: str) -> None:
    """Preprocess a cohort by the plans of a bundle.

    Parameters
    ----------
    bundle : path
        Its folder.
    images, splits, threads
        As in `cmrslices.segmentation.preprocessing.preprocess_cohort`.
    store : path
        Folder to make, with a folder for each of nnU-Net's configurations that the approach needs.

    Raises
    ------
    InputError
        As by `checked_bundle`, or an image cannot be read.
    """
    opened = checked_bundle(bundle)
    for configuration in opened.configurations():
        preprocess_cohort(
            plans=opened.file(plans_file(configuration)),
            dataset=opened.file(DATASET),
            images=images,
            splits=splits,
            threads=threads,
            store=str(Path(store) / configuration),
        )


def predict_bundled(bundle: str, store: str, splits: str, threads: int, labels: str, routes: str, record: str) -> None:
    """Segment the test cases of a cohort with a bundle.

    Parameters
    ----------
    bundle : path
        Its folder.
    store : path
        What `preprocess_bundled` made.
    splits : path
        The cohort's ``splits.csv``.
    threads : int
        Cores to use.
    labels, routes : path
        To write, see `cmrslices.prediction.cohort.predict_cohort`.
    record : path
        To write: a copy of ``bundle.yaml``, which says what made the label maps.

    Raises
    ------
    InputError
        As by `checked_bundle`.
    """
    opened = checked_bundle(bundle)
    cohort = Cohort({name: str(Path(store) / name) for name in opened.configurations()}, splits)
    with TemporaryDirectory() as scratch:
        predict_cohort(
            approach=opened.approach,
            weights=[opened.weights(model) for model in opened.routed],
            regions=named_regions(opened, cohort, threads, Path(scratch)),
            **cohort.stores_of(opened, opened.routed),
            splits=splits,
            mirroring=opened.settings["mirroring"],
            precision=opened.settings["precision"],
            threads=threads,
            labels=labels,
            routes=routes,
        )
    shutil.copyfile(opened.folder / MANIFEST, record)


def named_regions(bundle: Bundle, cohort: Cohort, threads: int, scratch: Path) -> str | None:
    """Write the region of each slice of a cohort as the approach names it.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort
    threads : int
    scratch : Path
        Folder for this file, and for those that it is made from.

    Returns
    -------
    path or None
        None for the router ``constant``, which reads none.
    """
    row = bundle.approach
    if row["router"] == "constant":
        return None
    rule, regions = RegionRule(**bundle.settings["regions"]), str(scratch / "regions.csv")
    probabilities = [_classified(bundle, network, cohort, threads, scratch) for network in bundle.networks]
    selected = bundle.file(SELECTED) if bundle.networks and row["networks"] == "selected" else None
    if row["router"] == "extent":
        extent, rates = _extent(bundle, cohort, threads, scratch), FoundRates(**bundle.content["rates"])
        if row["probabilities"]:
            calibration = bundle.file(CALIBRATION)
            write_weighed_regions(
                extent, rates, row["networks"], selected, bundle.networks, probabilities, calibration, rule, regions
            )
        else:
            write_extent_regions(extent, rates, rule, regions)
    elif selected and (row["reading"], row["mixing"]) == ("slice", "hard"):  # the paper's, which is not calibrated
        write_selected_regions(selected, bundle.networks, probabilities, regions)
    else:
        calibration = bundle.file(CALIBRATION)
        write_classifier_reading(
            row["reading"], row["networks"], selected, bundle.networks, probabilities, calibration, rule, regions
        )
    return regions


def _classified(bundle: Bundle, network: str, cohort: Cohort, threads: int, scratch: Path) -> str:
    """The file of a network's region probabilities."""
    probabilities = scratch / f"{network}.csv"
    classify(
        weights=bundle.file(classifier_file(network)),
        store=cohort.stores["2d"],
        splits=cohort.splits,
        threads=threads,
        probabilities=probabilities,
    )
    return str(probabilities)


def _extent(bundle: Bundle, cohort: Cohort, threads: int, scratch: Path) -> str:
    """The file of the slices in which the approach's model finds a label."""
    model, extent = bundle.approach["extent_of"], str(scratch / "extent.csv")
    find_extent(
        model=model,
        weights=bundle.weights(model),
        **cohort.stores_of(bundle, [model]),
        splits=cohort.splits,
        mirroring=bundle.settings["mirroring"],
        precision=bundle.settings["precision"],
        threads=threads,
        extent=extent,
    )
    return extent


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
    print(
        f"made with other versions: {others}" if others else "made with the versions that are installed here",
        flush=True,
    )
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
        architecture = configuration.get("architecture", {})
        layers = [architecture["arch_kwargs"].get(key) for key in architecture.get("_kw_requires_import", ())]
        known = architecture.get("network_class_name", ARCHITECTURES[0]) in ARCHITECTURES
        if not known or any(layer is not None and not layer.startswith(LAYERS) for layer in layers):
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
