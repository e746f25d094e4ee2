"""Models in 3D and with a residual encoder, trained by nnU-Net at a tiny size."""

import json
import os
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform, blur_dimension
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from tiny_segmentation import CASES, TRAINING, Project, network_of, same

from cmrslices.runtime.interruption import Interrupted
from cmrslices.segmentation.loading import seed_everything
from cmrslices.segmentation.nnunet import TRAINERS, set_nnunet_folders
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import model_plans

VARIANTS = {
    "context": ("default", "3d_fullres"),
    "strong": ("resenc_m", "2d"),
    "strong_context": ("resenc_m", "3d_fullres"),
}
STOCK_PREDICT = """
import torch
torch.half = torch.float32
from nnunetv2.inference.predict_from_raw_data import predict_entry_point
predict_entry_point()
"""
"""The command nnUNetv2_predict. It sums tiles in float16, whose rounding decides near ties of these small networks."""
EACH_MODEL = pytest.mark.parametrize("model", VARIANTS)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project")).make().make_3d()


@pytest.fixture(scope="module")
def weights(project):
    """The final weights of each model."""
    return {model: project.train_variant(model, *variant) for model, variant in VARIANTS.items()}


def plans_of(project, variant, training):
    return model_plans(project.plan(*variant), project.slices, "model", {"sampling": "uniform"}, training, 1)


@EACH_MODEL
def test_a_model_inherits_from_its_own_configuration(project, model):
    _, configuration = VARIANTS[model]
    plans = plans_of(project, VARIANTS[model], TRAINING)
    assert list(plans["configurations"]) == [configuration, "model"]
    assert plans["configurations"]["model"]["inherits_from"] == configuration
    assert plans["plans_name"] == "nnUNetPlans"


def test_a_3d_model_without_a_batch_size_of_its_own_has_the_planned_one(project):
    planned = json.loads(project.plan("default", "3d_fullres").read_text())["configurations"]["3d_fullres"]
    training = {key: value for key, value in TRAINING.items() if key != "batch_size"}
    own = plans_of(project, VARIANTS["context"], training)["configurations"]["model"]
    assert "batch_size" not in own
    trainer = trainer_of(project, SliceTrainer, VARIANTS["context"], training)
    assert trainer.configuration_manager.batch_size == planned["batch_size"] == 2


def trainer_of(project, trainer_class, variant, training=TRAINING):
    set_nnunet_folders(project.preprocessed)
    plans = {**plans_of(project, variant, training), "continue_training": False}
    return trainer_class(plans, "model", 0, json.loads(project.raw.read_text()), torch.device("cpu"))


@EACH_MODEL
@pytest.mark.parametrize("part", [0, 1], ids=["training", "validation"])
def test_its_augmented_batches_are_those_of_stock_nnunet(project, monkeypatch, model, part):
    monkeypatch.setattr(GaussianBlurTransform, "_benchmark_wrapper", lambda _, *arguments: blur_dimension(*arguments))
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")  # the stock trainer's loader without processes
    loaders = {}
    for trainer_class in (SliceTrainer, nnUNetTrainer):
        trainer = trainer_of(project, trainer_class, VARIANTS[model])
        trainer.initialize()
        loaders[trainer_class] = trainer.get_dataloaders()[part]
    ours = next(loaders[SliceTrainer])
    seed_everything(1, part, 0)
    theirs = loaders[nnUNetTrainer].data_loader.generate_train_batch()
    assert ours["data"].ndim == (5 if VARIANTS[model][1] == "3d_fullres" else 4)
    assert torch.equal(ours["data"], theirs["data"])
    assert all(torch.equal(one, other) for one, other in zip(ours["target"], theirs["target"], strict=True))


@EACH_MODEL
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(project, weights, model):
    expected = network_of(weights[model])
    assert same(expected, network_of(project.train_variant(f"{model}_again", *VARIANTS[model])))
    assert not same(expected, network_of(project.train_variant(f"{model}_seed2", *VARIANTS[model], seed=2)))


@EACH_MODEL
def test_an_interrupted_training_gives_the_same_weights(project, weights, model, monkeypatch, restored_handlers):
    def signal_in_the_second_step(trainer, batch, step=SliceTrainer.train_step):
        if trainer.step_outputs["training"]:
            trainer.interruption.signal = "SIGTERM"
        return step(trainer, batch)

    name = f"{model}_interrupted"
    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="after epoch 0, iteration 2"):
        patch.setattr(SliceTrainer, "train_step", signal_in_the_second_step)
        project.train_variant(name, *VARIANTS[model])
    assert same(network_of(weights[model]), network_of(project.train_variant(name, *VARIANTS[model])))


@EACH_MODEL
def test_stock_nnunet_predicts_the_same_with_it(project, weights, model, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for case in CASES[6:]:
        (images / f"{case}_0000.nii.gz").symlink_to(project.cohort / f"images/{case}_0000.nii.gz")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("nnUNet_", "PYTHONPATH"))}
    folders = {f"nnUNet_{name}": str(project.root / "nnunet" / name) for name in ("raw", "preprocessed", "results")}
    command = [sys.executable, "-c", STOCK_PREDICT, "-i", images, "-o", tmp_path / "stock", "-d", "1", "-c", model]
    command += ["-f", "0", "-tr", "SliceTrainer", "-device", "cpu", "-npp", "0", "-nps", "0"]
    environment = {**inherited, **folders, "nnUNet_extTrainer": str(TRAINERS)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    ours = project.predict(tmp_path / "ours", {"router": "constant", "model": model}, [weights[model]])
    theirs = {name: np.asarray(nibabel.load(tmp_path / "stock" / name).dataobj) for name in ours}
    assert [name for name, image in ours.items() if not np.array_equal(image.dataobj, theirs[name])] == []
