"""A bundle of one approach of a finished run, with which another workflow segments; see `cmrslices.prediction.bundle`.

Only what prediction reads is packed. Of a checkpoint that is the network's weights, without the optimiser, the log and
what the trainer was given. nnU-Net's ``dataset.json`` names every training case with its files: of it only channels,
labels and file ending remain. nnU-Net's fingerprint is left out.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from cmrslices.classification.calibration import ALL
from cmrslices.classification.extent_reading import validation_rates
from cmrslices.classification.probabilities import selected_network
from cmrslices.commands.finished_run import finished_file
from cmrslices.commands.model_card import model_card
from cmrslices.config import Bundled, Classified, Extent, Given, Referenced, Settings, load_settings
from cmrslices.prediction.bundle import (
    CALIBRATION,
    CARD,
    DATASET,
    SELECTED,
    Bundle,
    classifier_file,
    head_calibration_file,
    open_bundle,
    plans_file,
    seal_bundle,
    weights_file,
)
from cmrslices.runtime.checkpoints import read_weights, save_whole
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.whole_folders import whole_folder

OF_DATASET = ("channel_names", "labels", "file_ending")
"""What networks and preprocessing read of nnU-Net's ``dataset.json``."""
OF_MODEL = ("network_weights", "trainer_name", "inference_allowed_mirroring_axes")
"""What nnU-Net reads of a checkpoint to predict, beside the name of the configuration."""
OF_CLASSIFIER = ("network", "image_size_px", "field_of_view_mm", "state_dict")
UNITS = {
    "spacing": "mm, [y, x] or [z, y, x]",
    "patch_size": "px, [y, x] or [z, y, x]",
    "field_of_view_mm": "mm",
    "image_size_px": "px",
    "regions.base, regions.apex": "share of the labelled slices",
}
"""Units of the numbers in a bundle's files."""


def make_bundle(results: str | Path, approach: str, folder: str | Path) -> Bundle:
    """Pack what an approach of a finished run needs to segment.

    Parameters
    ----------
    results : path
        The results folder of the run.
    approach : str
        Name of its row in the configuration.
    folder : path
        To make.

    Returns
    -------
    Bundle
        What was made, with every hash checked.

    Raises
    ------
    InputError
        The folder exists, the run is not finished, or the approach cannot be packed.
    """
    results, folder = Path(results), Path(folder)
    if folder.exists():
        raise InputError(f"{folder}: is there already; delete it, or name another folder")
    record = yaml.safe_load(finished_file(results / "provenance.yaml").read_text())
    settings = load_settings(record["configuration"])
    check_approach(settings, approach)
    with whole_folder(folder) as made:
        content = _pack(results, settings, record, approach, made)
        (made / CARD).write_text(model_card(results, settings, content, _sizes(made, content)))
        seal_bundle(made, content)
    return open_bundle(folder)


def check_approach(settings: Settings, approach: str) -> None:
    """Check that an approach can segment new patients by itself.

    Raises
    ------
    InputError
        There is no such approach, or it has no models of its own, or it needs reference labels.
    """
    if approach not in settings.approaches:
        raise InputError(f"{approach}: is no approach of this run; there are: {', '.join(settings.approaches)}")
    row = settings.approaches[approach]
    if isinstance(row, Bundled):
        raise InputError(f"{approach}: comes from a bundle; copy that one, {row.bundle}")
    if isinstance(row, Given):
        raise InputError(f"{approach}: has label maps and no models, so that nothing can be packed")
    if isinstance(row, Referenced):
        raise InputError(
            f"{approach}: takes the regions from reference labels, which new patients do not have; pack an approach "
            "with another router"
        )


def _pack(results: Path, settings: Settings, record: dict, approach: str, folder: Path) -> dict[str, Any]:
    """Copy the files of an approach, and return the content of ``bundle.yaml`` that is known without them."""
    row, training = settings.approaches[approach], settings.trained_on()
    dataset = f"Dataset001_{training}"
    extent_of = row.extent_of if isinstance(row, Extent) else None
    head_of = row.head_of if isinstance(row, Classified) else None
    models = list(dict.fromkeys(filter(None, [*row.models_used(), extent_of, head_of])))
    networks = _pack_classifiers(results, settings, approach, folder)
    if head_of:
        _pack_temperatures(results, head_calibration_file(head_of), [ALL], folder)
    for model in models:
        place = f"SliceTrainer__nnUNetPlans__{model}"
        _pack_model(results / "nnunet/results" / dataset / place, model, folder)
    planned, raw = results / "nnunet/preprocessed" / dataset, results / "nnunet/raw" / dataset / "dataset.json"
    in_3d = [settings.is_3d(model) for model in models]
    if networks or not all(in_3d):
        _write_json(public_plans(_read_json(planned / "nnUNetPlans.json")), folder / plans_file("2d"))
    if any(in_3d):
        plans = _read_json(planned / "nnUNetPlans_default_3d_fullres.json")
        _write_json(public_plans(plans), folder / plans_file("3d_fullres"))
    _write_json(public_dataset(_read_json(raw)), folder / DATASET)
    rates = None
    if extent_of:
        cohort = results / "cohorts" / str(training)
        extent = finished_file(results / f"extents/{extent_of}/{training}.csv")
        rates = validation_rates(extent, cohort / "slices.csv", cohort / "splits.csv")._asdict()
    return {
        "name": approach,
        "approach": row.model_dump(mode="json"),
        "models": {name: settings.models[name].model_dump(mode="json") for name in models},
        "networks": networks,
        "rates": rates,
        "settings": {
            "mirroring": settings.segmentation.mirroring,
            "precision": settings.precision,
            "regions": settings.regions.model_dump(mode="json"),
        },
        "units": UNITS,
        **{key: record.get(key, "unknown") for key in ("workflow", "commit")},
        "versions": record["versions"],
    }


def _pack_classifiers(results: Path, settings: Settings, approach: str, folder: Path) -> list[str]:
    """Copy the classifiers that an approach reads, and return their names."""
    if approach not in settings.classified():
        return []
    every, selected = list(settings.classification.networks), selected_network(finished_file(results / SELECTED))
    reads_all = settings.approaches[approach].model_dump()["networks"] == "all"
    networks = every if reads_all else [selected]
    for network in networks:
        trained = read_weights(finished_file(results / classifier_file(network)))
        target = folder / classifier_file(network)
        target.parent.mkdir(parents=True)
        kept = {key: trained[key] for key in OF_CLASSIFIER}
        save_whole({**kept, "state_dict": tensors(trained["state_dict"])}, target)
    _pack_temperatures(results, CALIBRATION, [ALL] if reads_all else networks, folder)
    if not reads_all:
        (folder / SELECTED).write_text(yaml.safe_dump({"network": selected}))
    return networks


def _pack_temperatures(results: Path, file: str, names: Sequence[str], folder: Path) -> None:
    """Copy some temperatures from a file of calibrations."""
    temperatures = yaml.safe_load(finished_file(results / file).read_text())
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    used = {name: {"temperature": temperatures[name]["temperature"]} for name in names}
    (folder / file).write_text(yaml.safe_dump(used, sort_keys=False))


def _pack_model(trained: Path, model: str, folder: Path) -> None:
    """Copy nnU-Net's folder of a model, as far as predictions read it."""
    weights = folder / weights_file(model)
    weights.parent.mkdir(parents=True)
    checkpoint = read_weights(finished_file(trained / "fold_0/checkpoint_final.pth"))
    axes = checkpoint["inference_allowed_mirroring_axes"]
    content = {
        **{key: checkpoint[key] for key in OF_MODEL},
        "network_weights": tensors(checkpoint["network_weights"]),
        "init_args": {"configuration": model},
        "inference_allowed_mirroring_axes": axes and tuple(int(axis) for axis in axes),
    }
    save_whole(content, weights)
    place = weights.parents[1]
    _write_json(public_plans(_read_json(trained / "plans.json")), place / "plans.json")
    _write_json(public_dataset(_read_json(trained / "dataset.json")), place / "dataset.json")


def tensors(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a network, each with a memory of its own: a view would be saved with all that it views."""
    return {name: value.detach().clone() for name, value in state.items()}


def public_dataset(content: dict) -> dict:
    """Take the names and files of the training cases out of nnU-Net's ``dataset.json``."""
    return {key: content[key] for key in OF_DATASET if key in content}


def public_plans(content: dict) -> dict:
    """Take the path of the training cohort's slices out of nnU-Net's plans; the rest are sizes and statistics."""
    configurations = {
        name: {key: value for key, value in configuration.items() if key != "slices"}
        for name, configuration in content["configurations"].items()
    }
    return {**content, "configurations": configurations}


def _sizes(folder: Path, content: dict) -> dict[str, tuple[int, int]]:
    """Number of weights and of bytes of each network, by its name; those of classifiers after the models'."""
    files = {name: (folder / weights_file(name), "network_weights") for name in content["models"]}
    files |= {name: (folder / classifier_file(name), "state_dict") for name in content["networks"]}
    return {
        name: (_count(read_weights(file)[key].values()), file.stat().st_size) for name, (file, key) in files.items()
    }


def _count(weights: Sequence[torch.Tensor]) -> int:
    return sum(weight.numel() for weight in weights)


def _read_json(path: Path) -> dict:
    return json.loads(finished_file(path).read_text())


def _write_json(content: dict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))
