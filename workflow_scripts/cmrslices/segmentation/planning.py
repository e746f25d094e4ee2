"""nnU-Net's raw data set, fingerprint and plans of the training cohort."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
from batchgenerators.utilities.file_and_folder_operations import save_json
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props
from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import (
    nnUNetPlannerResEncL,
    nnUNetPlannerResEncM,
)
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import check_volume
from cmrslices.runtime.parallel import map_progress
from cmrslices.segmentation.nnunet import CASES_IN_STORE, PLANS, set_nnunet_folders

PLANNERS = {"default": ExperimentPlanner, "resenc_m": nnUNetPlannerResEncM, "resenc_l": nnUNetPlannerResEncL}
"""Values of `models.<name>.planner`. All plan the same spacing, normalisation and resampling; only the networks differ.

So a configuration has one store for all planners, as nnU-Net's own residual-encoder planners have it.
"""
STORES = {"2d": f"store/{CASES_IN_STORE}", "3d_fullres": "store_3d/3d_fullres"}
"""Where nnU-Net finds the preprocessed cases of each configuration, in its folder of the preprocessed data set."""
SHORTEST_SIDE = 4
"""Fewest pixels or slices that nnU-Net leaves to the last stage of a network (`UNet_featuremap_min_edge_length`)."""


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
    _write_json(plans, _with_one_configuration(planned, "2d", plan))


def plan_variant(dataset: str, plan: dict, planner: str, configuration: str, plans: str) -> None:
    """Write the plan of another configuration, or of another planner, for the models that ask for it.

    Parameters
    ----------
    dataset : path
        `dataset.json` that `plan_segmentation` wrote, with a fingerprint in nnU-Net's folder of the preprocessed data
        set.
    plan : dict
        Changes to nnU-Net's plan, see `reduced_plan`.
    planner : str
        A key of `PLANNERS`.
    configuration : str
        `2d` or `3d_fullres`.
    plans : path
        To write, in nnU-Net's folder of the preprocessed data set. Inside, the plans have the name `nnUNetPlans`, so
        that every model's folder is found under this name.

    Raises
    ------
    InputError
        nnU-Net plans no 3D for stacks of one slice.
    """
    name = Path(dataset).parent.name
    set_nnunet_folders(Path(dataset).parent)
    planned = PLANNERS[planner](name, plans_name=Path(plans).stem).plan_experiment()
    if configuration not in planned["configurations"]:
        raise InputError(
            f"{name}: nnU-Net plans no {configuration}, because the training images have one slice each; remove "
            f"'configuration: {configuration}' from the rows of models"
        )
    _write_json(plans, {**_with_one_configuration(planned, configuration, plan), "plans_name": PLANS})


def _with_one_configuration(planned: dict, configuration: str, plan: dict) -> dict:
    """nnU-Net's plans with one of its configurations, reduced, whose cases lie in the workflow's store."""
    reduced = reduced_plan(planned["configurations"][configuration], **plan)
    return {**planned, "configurations": {configuration: {**reduced, "data_identifier": STORES[configuration]}}}


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
    """A configuration of nnU-Net's plans with a coarser grid or a smaller network.

    Parameters
    ----------
    configuration : dict
        nnU-Net's `2d` or `3d_fullres` configuration.
    spacing_mm, patch_size_px : list of 2 numbers, or None
        In plane, [y, x]; None keeps what nnU-Net planned. In 3D, spacing and patch through the stack stay as planned.
    features : list of int, or None
        Features of each stage; in plane, the first stage keeps the resolution and each other halves it. In 3D,
        nnU-Net's rule for anisotropic stacks says where the network also looks and halves through the stack. A residual
        encoder keeps nnU-Net's number of blocks in each stage.
    """
    changed = {**configuration, "architecture": {**configuration["architecture"]}}
    if spacing_mm:
        changed["spacing"] = [*configuration["spacing"][:-2], *(float(value) for value in spacing_mm)]
    if patch_size_px:
        changed["patch_size"] = [*configuration["patch_size"][:-2], *patch_size_px]
    if features:
        stages = len(features)
        kernels, strides, changed["patch_size"] = _stages(changed["spacing"], changed["patch_size"], stages)
        planned = configuration["architecture"]["arch_kwargs"]
        changed["architecture"]["arch_kwargs"] = {
            **planned,
            "n_stages": stages,
            "features_per_stage": list(features),
            "kernel_sizes": kernels,
            "strides": strides,
            **_depths(planned, stages),
        }
    return changed


def _stages(spacing: list[float], patch_size: list[int], stages: int) -> tuple[list, list, list]:
    """Kernel sizes and strides of a given number of stages, and the patch that they divide.

    Through the stack, nnU-Net's `get_pool_and_conv_props` decides, for a plane that never limits the number of stages.
    """
    kernels, strides = [[3, 3]] * stages, [[1, 1], *[[2, 2]] * (stages - 1)]
    if len(spacing) == 2:
        return kernels, strides, patch_size
    slices, *plane = patch_size
    endless = [SHORTEST_SIDE * 2 ** (stages + 1)] * 2
    _, pooled, looked_at, _, _ = get_pool_and_conv_props(spacing, [slices, *endless], SHORTEST_SIDE, stages - 1)
    through = [axes[0] for axes in pooled[:stages]]
    seen = [*(axes[0] for axes in looked_at[: stages - 1]), 3]  # nnU-Net's last stage looks at three slices
    step = int(np.prod(through))
    return (
        [[one, *in_plane] for one, in_plane in zip(seen, kernels, strict=True)],
        [[one, *in_plane] for one, in_plane in zip(through, strides, strict=True)],
        [-(-slices // step) * step, *plane],
    )


def _depths(planned: dict, stages: int) -> dict:
    """Convolutions or residual blocks of each stage, of which deeper stages than nnU-Net plans repeat the last."""

    def of_stages(name: str, count: int) -> list[int]:
        return [*planned[name], *[planned[name][-1]] * count][:count]

    encoder = "n_blocks_per_stage" if "n_blocks_per_stage" in planned else "n_conv_per_stage"
    return {
        encoder: of_stages(encoder, stages),
        "n_conv_per_stage_decoder": of_stages("n_conv_per_stage_decoder", stages - 1),
    }


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
