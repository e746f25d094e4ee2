"""The same seed, configuration and machine give the same bits."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_classification
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from tiny_segmentation import TRAINING, Project, same

from cmrslices.runtime.devices import compute_deterministically
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import model_plans

POLICY = {"sampling": "quadratic", "ratio": 4}
BOTH_TRAININGS = """
import json, sys
from cmrslices.classification.training import train_classifier
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.segmentation.training import train_segmenter
segmenter, classifier, prediction = json.load(open(sys.argv[1]))
train_segmenter(**segmenter)
train_classifier(**classifier)
predict_cohort(*prediction)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project")).make()


def batches_of(project, workers):
    """The batches of a training, drawn by a number of worker processes."""
    set_nnunet_folders(project.preprocessed)
    training = {**TRAINING, "epochs": 1, "iterations_per_epoch": 12}
    plans = model_plans(project.plans, project.slices, "batches", POLICY, training, 1)
    dataset = json.loads(project.raw.read_text())
    trainer = SliceTrainer({**plans, "continue_training": False}, "batches", 0, dataset, torch.device("cpu"))
    trainer.loader_workers = workers
    trainer.initialize()
    return [batch["data"].clone() for batch in trainer.get_dataloaders()[0]]


def test_batches_are_the_same_however_many_processes_draw_them(project):
    one, other = batches_of(project, 0), batches_of(project, 3)
    assert len(one) == 12
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_no_batch_depends_on_how_long_something_takes(project, monkeypatch):
    blurred = []

    def timed(*_):
        raise AssertionError("nnU-Net's blur chose its algorithm by time")

    apply = GaussianBlurTransform._apply_to_image
    monkeypatch.setattr(GaussianBlurTransform, "_benchmark_wrapper", timed)
    monkeypatch.setattr(
        GaussianBlurTransform,
        "_apply_to_image",
        lambda self, image, **chosen: blurred.append(chosen["sigmas"]) or apply(self, image, **chosen),
    )
    batches_of(project, 0)
    assert any(blurred)


def test_two_runs_in_fresh_processes_give_the_same_weights_and_predictions(tmp_path):
    runs = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        project = Project(folder).make()
        tiny_classification.make_inputs(folder)
        (folder / "net").mkdir()
        prediction = [
            {"router": "constant", "model": "low"},
            [str(project.weights("low"))],
            None,
            str(project.preprocessed_cohort),
            str(project.cohort / "splits.csv"),
            True,
            "fp32",
            2,
            str(folder / "labels"),
            str(folder / "routes.csv"),
        ]
        arguments = [
            project.arguments("low", POLICY, threads=2),
            tiny_classification.arguments(folder, "net"),
            prediction,
        ]
        (folder / "arguments.json").write_text(json.dumps(arguments))
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path("workflow_scripts").resolve()),
            "PYTHONHASHSEED": str(number),
        }
        command = [sys.executable, "-c", BOTH_TRAININGS, folder / "arguments.json"]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr[-2000:]
        segmenter = torch.load(project.weights("low"), weights_only=False)["network_weights"]
        classifier = torch.load(folder / "net/weights.pth", weights_only=True)["state_dict"]
        labels = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (folder / "labels").iterdir()}
        runs.append((segmenter, classifier, labels))
    one, other = runs
    assert same(one[0], other[0])
    assert same(one[1], other[1])
    assert one[2] == other[2]
    assert one[2]


def test_the_switch_for_gpus_changes_nothing_on_a_cpu(project):
    default = project.train("default", POLICY)
    assert same(default, project.train("switched", POLICY, deterministic=True))
    assert not torch.are_deterministic_algorithms_enabled()


def test_on_a_gpu_the_switch_chooses_deterministic_algorithms(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    try:
        compute_deterministically(torch.device("cuda"), True)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False
        os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def test_on_a_gpu_without_the_switch_cudnn_takes_its_fastest_algorithms(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    compute_deterministically(torch.device("cuda"), False)
    assert torch.backends.cudnn.benchmark
    assert not torch.are_deterministic_algorithms_enabled()
