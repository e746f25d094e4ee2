"""Planning, training, resuming and predicting with real nnU-Net models of a tiny size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform, blur_dimension
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from places import ROOT
from tiny_segmentation import CASES, JOINT, TRAINING, Project, same

from cmrslices.prediction.cohort import predict_cohort
from cmrslices.segmentation.loading import seed_everything
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.planning import reduced_plan
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import model_plans


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project")).make()


@pytest.fixture(scope="module")
def apex_model(project):
    project.train("apex", {"sampling": "region", "region": "apex"})
    return project.weights("apex")


def test_test_cases_take_no_part_in_planning_or_training(project):
    fold = json.loads(project.folds.read_text())
    assert fold == [{"train": CASES[:4], "val": CASES[4:6]}]
    assert set(json.loads(project.raw.read_text())["dataset"]) == set(CASES[:6])
    assert {path.name.split(".")[0] for path in (project.preprocessed / "store/2d").glob("*.pkl")} == set(CASES[:6])


def test_without_changes_the_plan_is_nnunets():
    configuration = {"spacing": [1, 1], "patch_size": [64, 64], "architecture": {"arch_kwargs": {"n_stages": 6}}}
    assert reduced_plan(configuration, None, None, None) == configuration


ANISOTROPIC = {
    "spacing": [8, 1, 1],
    "patch_size": [9, 64, 64],
    "architecture": {"arch_kwargs": {"n_conv_per_stage": [2, 2, 2], "n_conv_per_stage_decoder": [2, 2]}},
}


def test_a_reduced_3d_plan_keeps_what_nnunet_plans_through_the_stack():
    reduced = reduced_plan(ANISOTROPIC, [2.0, 2.0], [48, 32], None)
    assert (reduced["spacing"], reduced["patch_size"]) == ([8, 2, 2], [9, 48, 32])


def test_a_reduced_3d_network_looks_and_halves_through_the_stack_by_nnunets_rule():
    reduced = reduced_plan(ANISOTROPIC, None, None, [4, 8, 16, 32, 32, 32])
    kwargs = reduced["architecture"]["arch_kwargs"]
    in_plane = [[1, 1], *[[2, 2]] * 5]
    assert kwargs["strides"] == [[through, *plane] for through, plane in zip([1, 1, 1, 1, 2, 1], in_plane, strict=True)]
    assert kwargs["kernel_sizes"] == [[through, 3, 3] for through in (1, 1, 1, 3, 3, 3)]
    assert reduced["patch_size"] == [10, 64, 64]
    assert kwargs["n_conv_per_stage"] == [2] * 6


def test_a_reduced_residual_encoder_keeps_nnunets_number_of_blocks():
    kwargs = {"n_blocks_per_stage": [1, 3, 4, 6, 6, 6], "n_conv_per_stage_decoder": [1] * 5}
    planned = {"spacing": [1, 1], "patch_size": [64, 64], "architecture": {"arch_kwargs": kwargs}}
    reduced = reduced_plan(planned, None, None, [4, 8, 8])["architecture"]["arch_kwargs"]
    assert (reduced["n_blocks_per_stage"], reduced["n_conv_per_stage_decoder"]) == ([1, 3, 4], [1, 1])
    assert "n_conv_per_stage" not in reduced


def test_a_model_folder_carries_its_sampling_policy(apex_model):
    plans = json.loads((apex_model.parents[1] / "plans.json").read_text())
    assert plans["configurations"]["apex"]["sampling"] == {"sampling": "region", "region": "apex"}
    assert plans["configurations"]["apex"]["inherits_from"] == "2d"
    assert plans["configurations"]["apex"]["batch_size"] == 4


def test_the_same_seed_gives_the_same_weights_and_another_policy_others(project):
    first = project.train("baseline", {"sampling": "uniform"})
    again = project.train("again", {"sampling": "uniform"})
    high = project.train("high", {"sampling": "quadratic", "ratio": 20})
    assert same(first, again)
    assert not same(first, high)


@pytest.mark.parametrize("part", [0, 1], ids=["training", "validation"])
def test_the_baselines_augmented_batches_are_those_of_stock_nnunet(project, monkeypatch, part):
    monkeypatch.setattr(GaussianBlurTransform, "_benchmark_wrapper", lambda _, *arguments: blur_dimension(*arguments))
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")  # the stock trainer's loader without processes
    set_nnunet_folders(project.preprocessed)
    plans = model_plans(project.plans, project.slices, "stock", {"sampling": "uniform"}, TRAINING, 1)

    def loader_of(trainer_class):
        arguments = ({**plans, "continue_training": False}, "stock", 0, json.loads(project.raw.read_text()))
        trainer = trainer_class(*arguments, torch.device("cpu"))
        trainer.initialize()
        return trainer.get_dataloaders()[part]

    ours = next(loader_of(SliceTrainer))
    stock = loader_of(nnUNetTrainer).data_loader
    seed_everything(1, part, 0)
    theirs = stock.generate_train_batch()
    assert ours["keys"].tolist() == theirs["keys"].tolist()
    assert torch.equal(ours["data"], theirs["data"])
    assert all(torch.equal(one, other) for one, other in zip(ours["target"], theirs["target"], strict=True))


def test_a_checkpoint_of_other_settings_is_set_aside(project):
    project.train("changed", {"sampling": "uniform"})
    project.weights("changed").rename(project.weights("changed").with_name("checkpoint_latest.pth"))
    weights = project.train("changed", {"sampling": "uniform"}, learning_rate=0.02)
    assert project.weights("changed").with_name("checkpoint_latest.pth.stale").exists()
    assert same(weights, project.train("fresh", {"sampling": "uniform"}, learning_rate=0.02))


def predict(project, folder, approach, weights, regions=None):
    predict_cohort(
        approach,
        weights,
        regions,
        project.preprocessed_cohort,
        project.cohort / "splits.csv",
        True,
        "fp32",
        1,
        folder / "labels",
        folder / "routes.csv",
    )
    return {path.name: nibabel.load(path) for path in sorted((folder / "labels").iterdir())}


def test_predictions_lie_on_the_images_grid_and_cover_the_test_cases(project, apex_model, tmp_path):
    predicted = predict(project, tmp_path, {"router": "constant", "model": "apex"}, [apex_model])
    assert set(predicted) == {f"{case}.nii.gz" for case in CASES[6:]}
    for name, image in predicted.items():
        reference = nibabel.load(project.cohort / "labels" / name)
        assert image.shape == reference.shape
        assert image.affine == pytest.approx(reference.affine, abs=1e-4)


def test_every_slice_is_segmented_by_the_model_its_router_names(project, apex_model, tmp_path):
    project.train("baseline", {"sampling": "uniform"})
    models = {"base": "baseline", "middle": "baseline", "apex": "apex", "non-cardiac": "baseline"}
    both = [project.weights("baseline"), apex_model]
    routed = predict(
        project, tmp_path / "routed", {"router": "reference", "models": models}, both, project.cohort / "slices.csv"
    )
    baseline = predict(project, tmp_path / "baseline", {"router": "constant", "model": "baseline"}, both[:1])
    apex = predict(project, tmp_path / "apex", {"router": "constant", "model": "apex"}, both[1:])
    for name, image in routed.items():
        assert np.array_equal(image.dataobj[..., :4], baseline[name].dataobj[..., :4])
        assert np.array_equal(image.dataobj[..., 4], apex[name].dataobj[..., 4])
    routes = pd.read_csv(tmp_path / "routed/routes.csv")
    assert routes["model"].tolist() == ["baseline"] * 4 + ["apex"] + ["baseline"] * 4 + ["apex"]


@pytest.fixture(scope="module")
def joint_model(project):
    sizes = {"epochs": 6, "iterations_per_epoch": 20}
    project.train("joint", {"sampling": "uniform"}, joint=JOINT, **sizes)
    return project.weights("joint")


def test_a_joint_models_folder_names_its_network(joint_model):
    configuration = json.loads((joint_model.parents[1] / "plans.json").read_text())["configurations"]["joint"]
    assert configuration["architecture"]["network_class_name"] == "cmrslices.segmentation.joint_network.JointUNet"
    assert configuration["training"]["joint"] == JOINT


@pytest.mark.parametrize("model", ["apex", "joint"])
def test_stock_nnunet_predicts_with_a_trained_model(project, request, tmp_path, model):
    weights = request.getfixturevalue(f"{model}_model")
    stock_input = tmp_path / "images"
    stock_input.mkdir()
    for case in CASES[6:]:
        (stock_input / f"{case}_0000.nii.gz").symlink_to(project.cohort / f"images/{case}_0000.nii.gz")
    environment = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith("nnUNet_") and name != "PYTHONPATH"
        },
        "nnUNet_raw": str(project.root / "nnunet/raw"),
        "nnUNet_preprocessed": str(project.root / "nnunet/preprocessed"),
        "nnUNet_results": str(project.root / "nnunet/results"),
        "nnUNet_extTrainer": str(ROOT / "workflow_scripts/cmrslices/segmentation/trainers"),
    }
    command = [Path(sys.executable).parent / "nnUNetv2_predict", "-i", stock_input, "-o", tmp_path / "stock"]
    command += ["-d", "1", "-c", model, "-f", "0", "-tr", "SliceTrainer", "-device", "cpu", "-npp", "1", "-nps", "1"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    ours = predict(project, tmp_path / "ours", {"router": "constant", "model": model}, [weights])
    for name, image in ours.items():
        stock = np.asarray(nibabel.load(tmp_path / "stock" / name).dataobj)
        assert len(np.unique(stock)) > 1
        assert (np.asarray(image.dataobj) == stock).mean() >= 0.999
