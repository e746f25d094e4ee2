"""Segmenters trained on a simulated GPU: the same weights as on a CPU, and trainings that move between both.

On a CPU, networks compute in the memory format channels last, which rounds otherwise. Where bits are compared, the CPU
computes in the GPU's memory format. In float16, which is the default on a GPU, nothing is compared with a CPU.
"""

import contextlib

import pytest
import torch
from simulated_cuda import simulated_cuda
from tiny_segmentation import JOINT, Project

from cmrslices.runtime.checkpoints import read_checkpoint
from cmrslices.runtime.interruption import Interrupted
from cmrslices.segmentation.trainers import slice_trainer
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import train_segmenter

CPU = contextlib.nullcontext
pytestmark = pytest.mark.usefixtures("restored_handlers")
KINDS = {
    "segmenter": ({"sampling": "quadratic", "ratio": 4}, {}),
    "joint network": ({"sampling": "uniform"}, {"joint": JOINT}),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project")).make()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def same_format(monkeypatch):
    """Let the CPU compute in the GPU's memory format."""
    monkeypatch.setattr(slice_trainer, "channels_last", lambda network: network)


def train(project, kind, name, device, **changes):
    """Train, or go on; the weights and what was logged of each epoch."""
    policy, settings = KINDS[kind]
    with device():
        train_segmenter(**project.arguments(name, policy, **{**settings, **changes}))
    content = read_checkpoint(project.weights(name))
    return content["network_weights"], [content["logging"][key] for key in ("train_losses", "val_losses", "lrs")]


def interrupted(project, kind, name, device, **changes):
    """A training that stops after the first mini-batch of its second epoch."""
    train_step = SliceTrainer.train_step

    def step(trainer, batch):
        if trainer.current_epoch == 1:
            trainer.interruption.signal = "SIGTERM"
        return train_step(trainer, batch)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted, match="epoch 1, iteration 1"):
        patch.setattr(SliceTrainer, "train_step", step)
        train(project, kind, name, device, **changes)


def assert_same(one, other):
    assert one[1] == other[1]
    assert [key for key, value in one[0].items() if not torch.equal(value, other[0][key])] == []


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_segmenter_trained_on_a_gpu_is_that_of_a_cpu_to_the_bit(project, kind, precision, same_format):
    expected = train(project, kind, f"cpu {kind} {precision}", CPU, precision=precision)
    assert_same(train(project, kind, f"gpu {kind} {precision}", simulated_cuda, precision=precision), expected)


@pytest.mark.parametrize(
    ("first", "then"),
    [(simulated_cuda, simulated_cuda), (CPU, simulated_cuda), (simulated_cuda, CPU)],
    ids=["stays on the GPU", "from the CPU to the GPU", "from the GPU to the CPU"],
)
def test_a_training_goes_on_to_the_same_bits_on_either_device(project, kind, first, then, same_format, request):
    name = request.node.callspec.id
    expected = train(project, kind, f"whole {kind}", CPU)
    interrupted(project, kind, name, first)
    assert_same(train(project, kind, name, then), expected)


def test_in_float16_an_interruption_on_a_gpu_changes_no_bit(project, kind):
    expected = train(project, kind, f"float16 {kind}", simulated_cuda, precision="auto")
    interrupted(project, kind, f"stopped float16 {kind}", simulated_cuda, precision="auto")
    assert_same(train(project, kind, f"stopped float16 {kind}", simulated_cuda, precision="auto"), expected)


@pytest.mark.parametrize(("first", "then"), [(CPU, simulated_cuda), (simulated_cuda, CPU)], ids=["to GPU", "to CPU"])
def test_a_training_that_moves_between_memory_formats_stays_close(project, first, then, request):
    name = request.node.callspec.id
    weights, losses = train(project, "segmenter", "channels last", CPU)
    interrupted(project, "segmenter", name, first)
    moved_weights, moved_losses = train(project, "segmenter", name, then)
    torch.testing.assert_close(moved_losses, losses, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(moved_weights, weights, rtol=1e-3, atol=1e-4)


def test_worker_processes_draw_the_batches_of_a_gpu_into_pinned_memory(project, same_format):
    expected = train(project, "segmenter", "alone", CPU)
    with simulated_cuda() as counts:
        assert_same(train(project, "segmenter", "with workers", CPU, threads=3), expected)
    assert counts.to_gpu > counts.to_gpu_unpinned
