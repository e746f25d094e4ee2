"""nnU-Net's raw data set, fingerprint and 2D plan of the training cohort."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
from batchgenerators.utilities.file_and_folder_operations import save_json
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import check_volume
from cmrslices.runtime.parallel import map_progress
from cmrslices.segmentation.nnunet import CASES_IN_STORE, PLANS, set_nnunet_folders


def plan_segmentation(
    images: str, labels: str, splits: str, plan: dict, raw: str, plans: str, folds: str, threads: int
) -> None:
    """Write nnU-Net's data set, its single fold, fingerprint and 2D plan.

    Images and labels stay where they are: `dataset.json` lists their paths.

    Parameters
    ----------
    images, labels : path
        The training cohort's folders.
    splits : path
        `splits.csv`; test cases are not used.
    plan : dict
        Changes to nnU-Net's plan, see `reduced_plan`.
    raw, plans, folds : path
        `dataset.json`, `nnUNetPlans.json` and `splits_final.json` to write.
    threads : int
        Processes for the fingerprint.

    Raises
    ------
    InputError
        nnU-Net would cut the images into slices along another axis.
    """
    table = read_splits(splits)
    fold = {"train": cases_of(table, "train"), "val": cases_of(table, "validation")}
    dataset = Path(raw).parent
    _write_json(raw, dataset_json(fold["train"] + fold["val"], Path(images), Path(labels), dataset))
    _write_json(folds, [fold])
    set_nnunet_folders(dataset)
    extractor = DatasetFingerprintExtractor(dataset.name)
    save_json(dataset_fingerprint(extractor, threads), str(Path(plans).with_name("dataset_fingerprint.json")))
    planned = ExperimentPlanner(dataset.name, plans_name=PLANS).plan_experiment()
    if planned["transpose_forward"] != [0, 1, 2]:
        raise InputError(
            f"{images}: slices are not the coarsest axis of the training images, so nnU-Net would not train on "
            "short-axis slices; give images whose slice spacing exceeds their in-plane spacing"
        )
    planned["configurations"] = {"2d": reduced_plan(planned["configurations"]["2d"], **plan)}
    planned["configurations"]["2d"]["data_identifier"] = f"store/{CASES_IN_STORE}"
    _write_json(plans, planned)


def dataset_json(cases: list[str], images: Path, labels: Path, dataset: Path) -> dict:
    """nnU-Net's description of a data set whose files lie elsewhere; paths are relative to `dataset`."""
    return {
        "channel_names": {"0": "cine MR"},
        "labels": {"background": 0, **LABELS},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
        "dataset": {
            case: {
                "images": [os.path.relpath(images / f"{case}_0000.nii.gz", dataset)],
                "label": os.path.relpath(labels / f"{case}.nii.gz", dataset),
            }
            for case in cases
        },
    }


def dataset_fingerprint(extractor: DatasetFingerprintExtractor, threads: int) -> dict:
    """nnU-Net's fingerprint of a data set of one channel, as `DatasetFingerprintExtractor.run` gathers it.

    nnU-Net starts new processes, each of which imports torch and nnU-Net again. Here the processes are forked.

    Parameters
    ----------
    extractor : DatasetFingerprintExtractor
        Of the data set.
    threads : int
        Processes.
    """
    samples = int(extractor.num_foreground_voxels_for_intensitystats // len(extractor.dataset))
    analyse = partial(_analyse_case, samples=samples)
    analysed = map_progress(analyse, list(extractor.dataset.values()), threads, unit="case")
    shapes, spacings_mm, intensities, _, relative_sizes = zip(*analysed, strict=True)
    return {
        "spacings": spacings_mm,
        "shapes_after_crop": shapes,
        "foreground_intensity_properties_per_channel": {
            0: _intensity_properties(np.concatenate([channels[0] for channels in intensities]))
        },
        "median_relative_size_after_cropping": np.median(relative_sizes),
    }


def reduced_plan(
    configuration: dict, spacing_mm: list | None, patch_size_px: list | None, features: list | None
) -> dict:
    """A 2D configuration of nnU-Net's plans with a coarser grid or a smaller network.

    Parameters
    ----------
    configuration : dict
        nnU-Net's `2d` configuration.
    spacing_mm, patch_size_px : list of 2 numbers, or None
        In plane, [y, x]; None keeps what nnU-Net planned.
    features : list of int, or None
        Features of each stage; the first stage keeps the resolution, each other halves it.
    """
    changed = {**configuration, "architecture": {**configuration["architecture"]}}
    if spacing_mm:
        changed["spacing"] = [float(value) for value in spacing_mm]
    if patch_size_px:
        changed["patch_size"] = list(patch_size_px)
    if features:
        stages = len(features)
        changed["architecture"]["arch_kwargs"] = {
            **configuration["architecture"]["arch_kwargs"],
            "n_stages": stages,
            "features_per_stage": list(features),
            "kernel_sizes": [[3, 3]] * stages,
            "strides": [[1, 1]] + [[2, 2]] * (stages - 1),
            "n_conv_per_stage": [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
        }
    return changed


def _analyse_case(files: dict, samples: int) -> tuple:
    for file in (*files["images"], files["label"]):
        check_volume(file)
    return DatasetFingerprintExtractor.analyze_case(files["images"], files["label"], SimpleITKIO, samples)


def _intensity_properties(foreground: np.ndarray) -> dict:
    """nnU-Net's statistics of foreground voxels, of which it draws 10^8; the array `foreground` is reordered."""
    properties = {name: float(getattr(np, name)(foreground)) for name in ("mean", "std", "min", "max")}
    percentiles = {"percentile_00_5": 0.5, "median": 50.0, "percentile_99_5": 99.5}
    values = np.percentile(foreground, list(percentiles.values()), overwrite_input=True)
    return properties | dict(zip(percentiles, values.tolist(), strict=True))


def _write_json(path: str | Path, content: dict | list) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content, indent=1))
