"""Loss, optimiser, batches and training of a joint network."""

import json

import nibabel
import numpy as np
import pytest
import tiny_segmentation
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from tiny_segmentation import CASES, JOINT, REGIONS, TRAINING, Project, same
from torch import nn
from torch.nn import functional

from cmrslices.labels import SLICE_CLASSES
from cmrslices.prediction.sliding_window import load_segmenter
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.joint_training import JointLoss, JointOptimizer
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.preprocessed import read_preprocessed
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import model_plans

UNIFORM = {"sampling": "uniform"}
SIZE_PX = {"base": 28, "middle": 20, "apex": 10}


# ---- Loss and optimiser -----------------------------------------------------


def decoders_loss(levels, labels):
    return sum((level - label).abs().sum() for level, label in zip(levels, labels, strict=True))


def test_the_loss_is_that_of_the_decoders_and_the_weighted_cross_entropy_of_the_head():
    levels, labels = [torch.ones(2, 3), torch.ones(2)], [torch.zeros(2, 3), torch.zeros(2)]
    logits, regions = torch.randn(2, 4), torch.tensor([3, 1])
    smooth = 0.8 * functional.one_hot(regions, 4) + 0.2 / 4
    of_head = -(smooth * functional.log_softmax(logits, 1)).sum(1).mean()
    loss = JointLoss(decoders_loss, loss_weight=0.5, label_smoothing=0.2)
    torch.testing.assert_close(loss([*levels, logits], [*labels, regions]), 8 + 0.5 * of_head)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.body(x))


def optimisers(network):
    sgd = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    return JointOptimizer(sgd, network.head, 0.01), PolyLRScheduler(sgd, 0.1, 10)


def step(network, optimizer, number):
    optimizer.zero_grad()
    network(torch.full((1, 3), float(number))).sum().backward()
    optimizer.step()


def test_the_head_is_trained_by_its_own_optimiser_and_the_rest_by_nnunets():
    network, expected = Network(), Network()
    expected.load_state_dict(network.state_dict())
    optimizer, _ = optimisers(network)
    sgd = torch.optim.SGD(expected.body.parameters(), 0.1, momentum=0.9)
    adamw = torch.optim.AdamW(expected.head.parameters(), 0.01)
    for number in range(3):
        step(network, optimizer, number)
        expected.zero_grad()
        expected(torch.full((1, 3), float(number))).sum().backward()
        sgd.step()
        adamw.step()
    assert same(network.state_dict(), expected.state_dict())


def test_a_gradient_scaler_takes_both_for_one():
    scaled, expected = Network(), Network()
    scaled.load_state_dict(expected.state_dict())
    optimizer, other = optimisers(scaled)[0], optimisers(expected)[0]
    step(expected, other, 1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaler.scale(scaled(torch.full((1, 3), 1.0)).sum()).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert same(scaled.state_dict(), expected.state_dict())


def test_the_decay_of_the_learning_rate_leaves_that_of_the_head():
    optimizer, schedule = optimisers(Network())
    schedule.step(9)
    first, second = optimizer.param_groups
    assert first["lr"] < 0.1
    assert second["lr"] == 0.01


def test_the_state_of_both_optimisers_is_restored():
    whole, stopped = Network(), Network()
    stopped.load_state_dict(whole.state_dict())
    optimizer, other = optimisers(whole)[0], optimisers(stopped)[0]
    for number in range(4):
        step(whole, optimizer, number)
    for number in range(2):
        step(stopped, other, number)
    resumed, _ = optimisers(stopped)
    resumed.load_state_dict(other.state_dict())
    for number in range(2, 4):
        step(stopped, resumed, number)
    assert same(whole.state_dict(), stopped.state_dict())


# ---- The trainer ------------------------------------------------------------


def write_visible_case(folder, case, rng):
    """A case whose slices show their region by the size of the heart."""
    label = np.zeros((40, 36, len(REGIONS)), np.uint8)
    for index, region in enumerate(REGIONS):
        size = SIZE_PX.get(region, 0)
        top, left = (rng.integers(0, length - size + 1) for length in label.shape[:2])
        label[top : top + size, left : left + size, index] = 2
        label[top + 2 : top + size - 2, left + 2 : left + size - 2, index] = 1
        label[top : top + size // 3, left : left + size // 3, index] = 3
    image = label * 100 + rng.integers(0, 50, label.shape)
    affine = np.diag([1.5, 1.5, 8, 1])
    nibabel.save(nibabel.Nifti1Image(image.astype(np.int16), affine), folder / f"images/{case}_0000.nii.gz")
    nibabel.save(nibabel.Nifti1Image(label, affine), folder / f"labels/{case}.nii.gz")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_segmentation, "write_case", write_visible_case)
        return Project(tmp_path_factory.mktemp("project")).make()


def trainer_of(project, model, **changes):
    """A trainer that is ready to train."""
    set_nnunet_folders(project.preprocessed)
    plans = model_plans(project.plans, project.slices, model, UNIFORM, {**TRAINING, **changes}, 1)
    arguments = ({**plans, "continue_training": False}, model, 0, json.loads(project.raw.read_text()))
    trainer = SliceTrainer(*arguments, torch.device("cpu"))
    trainer.initialize()
    return trainer


@pytest.mark.parametrize("part", [0, 1], ids=["training", "validation"])
def test_a_joint_network_is_trained_with_the_batches_of_the_baseline(project, part):
    sizes = {"iterations_per_epoch": 5, "validation_iterations": 5}
    baseline = list(trainer_of(project, "baseline", **sizes).get_dataloaders()[part])
    joint = list(trainer_of(project, "joint", joint=JOINT, **sizes).get_dataloaders()[part])
    assert len(baseline) == 10
    for one, other in zip(baseline, joint, strict=True):
        assert other["keys"].tolist() == one["keys"].tolist()
        assert torch.equal(other["data"], one["data"])
        assert all(torch.equal(*levels) for levels in zip(other["target"], one["target"], strict=True))


def test_a_batch_tells_the_region_of_each_slice(project):
    trainer = trainer_of(project, "joint", joint=JOINT, iterations_per_epoch=20)
    told = {name: set() for name in SLICE_CLASSES}
    for batch in trainer.get_dataloaders()[0]:
        for labels, region in zip(batch["target"][0], batch["region"], strict=True):
            told[SLICE_CLASSES[region]].add(bool((labels > 0).any()))
    assert told["non-cardiac"] == {False}
    assert True in told["base"] & told["middle"] & told["apex"]


def test_missing_slices_are_an_error_that_names_the_file_and_the_model(project):
    trainer = trainer_of(project, "joint", joint=JOINT)
    trainer.configuration_manager.configuration["slices"] = "missing.csv"
    with pytest.raises(InputError, match=r"missing\.csv: missing; the region head of 'joint' needs the regions"):
        trainer.get_dataloaders()


def test_a_step_trains_head_encoder_and_the_decoders_of_the_batchs_regions(project):
    trainer = trainer_of(project, "joint", joint=JOINT)
    batch = {**next(trainer.get_dataloaders()[0]), "region": torch.tensor([3, 1, 1, 3])}
    before = {name: weights.clone() for name, weights in trainer.network.named_parameters()}
    trainer.train_step(batch)
    changed = {name for name, weights in trainer.network.named_parameters() if not torch.equal(weights, before[name])}
    decoders = {int(name.split(".")[1]) for name in changed if name.startswith("decoder")}
    assert decoders == {1, 3}
    assert {name for name in before if name.startswith("head")} <= changed
    assert any(name.startswith("encoder") for name in changed)


def test_a_joint_network_is_not_compiled(project, monkeypatch):
    monkeypatch.setattr("nnunetv2.training.nnUNetTrainer.nnUNetTrainer.nnUNetTrainer._do_i_compile", lambda _: True)
    assert not trainer_of(project, "joint", joint=JOINT)._do_i_compile()


def right_share(project, network):
    """Share of the test cases' slices whose most probable region is the reference."""
    right = []
    for case in CASES[6:]:
        images = torch.from_numpy(read_preprocessed(project.preprocessed_cohort, case).voxels)[0][:, None, :32, :32]
        named = network.region_probabilities(images).argmax(1)
        right += [SLICE_CLASSES[index] == region for index, region in zip(named, REGIONS, strict=True)]
    return np.mean(right)


def test_the_head_learns_regions_that_can_be_seen(project):
    always_middle = REGIONS.count("middle") / len(REGIONS)
    assert right_share(project, trainer_of(project, "untrained", joint=JOINT).network.eval()) <= always_middle
    sizes = {"epochs": 12, "iterations_per_epoch": 25, "batch_size": 10}
    project.train("learning", UNIFORM, joint=JOINT, **sizes)
    weights = project.weights("learning")
    _, segmenter = load_segmenter(weights, False, torch.device("cpu"))
    assert right_share(project, segmenter.network) >= 0.8
    losses = torch.load(weights, weights_only=False)["logging"]["train_losses"]
    assert losses[-1] < losses[0] - 0.5
