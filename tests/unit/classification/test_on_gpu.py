"""Classifiers on a simulated GPU: the same results as on a CPU, and trainings that move between both.

The network has to be one like ShuffleNet. Where the gradients of several layers meet, torch adds those of a simulated
GPU in another memory format, and after that MobileNet, for one, rounds otherwise. In float16, which is the default on a
GPU, nothing is compared with a CPU.
"""

import contextlib

import pandas as pd
import pytest
import tiny_classification
import torch
from simulated_cuda import NAME as GPU_NAME
from simulated_cuda import simulated_cuda

from cmrslices.classification import training as module
from cmrslices.classification.inference import classify
from cmrslices.classification.training import train_classifier
from cmrslices.runtime.checkpoints import read_checkpoint
from cmrslices.runtime.device_record import NAME, read_tries
from cmrslices.segmentation.preprocessed import PreprocessedCase, write_preprocessed

NETWORK = "shufflenet_v2_x0_5"
CPU = contextlib.nullcontext
pytestmark = pytest.mark.usefixtures("restored_handlers")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    tiny_classification.make_inputs(folder)
    return folder


def train(inputs, name, device, **changes):
    """Train, or go on; weights and history."""
    (inputs / name).mkdir(exist_ok=True)
    changes = {"network": NETWORK, "epochs": 3, "checkpoint_every": 1, **changes}
    arguments = tiny_classification.arguments(inputs, name, **changes)
    with device():
        train_classifier(**arguments)
    weights = read_checkpoint(inputs / name / "weights.pth")["state_dict"]
    return weights, pd.read_csv(inputs / name / "history.csv").drop(columns="seconds")


def stop_in_epoch(monkeypatch, number):
    """Let trainings stop at the second mini-batch of an epoch."""
    stop_if_interrupted = module.stop_if_interrupted

    def stop(state, checkpoint, interruption):
        if state.epoch == number and len(state.losses) == 1:
            interruption.signal = "SIGTERM"
        stop_if_interrupted(state, checkpoint, interruption)

    monkeypatch.setattr(module, "stop_if_interrupted", stop)


def interrupted(inputs, name, device, **changes):
    """A training that stops in its second epoch."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(module.Interrupted):
        stop_in_epoch(patch, 2)
        train(inputs, name, device, **changes)


def assert_same(one, other):
    pd.testing.assert_frame_equal(one[1], other[1], check_exact=True)
    assert [key for key, value in one[0].items() if not torch.equal(value, other[0][key])] == []


@pytest.fixture(scope="module")
def on_cpu(inputs):
    return train(inputs, "cpu", CPU)


@pytest.mark.parametrize("changes", [{}, {"loss_weights": "balanced"}, {"precision": "bf16"}], ids=str)
def test_a_classifier_trained_on_a_gpu_is_that_of_a_cpu_to_the_bit(inputs, changes):
    expected = train(inputs, f"cpu {changes}", CPU, **changes)
    assert_same(train(inputs, f"gpu {changes}", simulated_cuda, **changes), expected)


@pytest.mark.parametrize(
    ("first", "then"),
    [(simulated_cuda, simulated_cuda), (CPU, simulated_cuda), (simulated_cuda, CPU)],
    ids=["stays on the GPU", "from the CPU to the GPU", "from the GPU to the CPU"],
)
def test_a_training_goes_on_to_the_same_bits_on_either_device(inputs, on_cpu, first, then, request):
    name = request.node.callspec.id
    interrupted(inputs, name, first)
    assert_same(train(inputs, name, then), on_cpu)
    names = [told["device"] for told in read_tries(inputs / name / NAME)]
    assert names == ["CPU" if device is CPU else GPU_NAME for device in (first, then)]


ROOM = {"slices on the GPU": 2**30, "slices on the CPU": 80_000}


@pytest.fixture(params=ROOM)
def gpu(request, monkeypatch):
    """A GPU that has room for the slices, or not."""
    with simulated_cuda() as counts:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (ROOM[request.param], 2**30))
        counts.slices_fit = request.param == "slices on the GPU"
        yield counts
        monkeypatch.undo()


def test_slices_that_leave_a_gpu_too_little_memory_stay_on_the_cpu_and_give_the_same_bits(inputs, on_cpu, gpu):
    assert_same(train(inputs, f"room {gpu.slices_fit}", CPU), on_cpu)
    mini_batches = 3 * (4 + 3)  # of three epochs
    assert (gpu.to_gpu - gpu.to_gpu_unpinned) == (0 if gpu.slices_fit else mini_batches)


def test_no_mini_batch_on_a_gpu_is_waited_for(inputs, gpu):
    waits = []
    for batch_size in (10, 5):
        gpu.waits = 0
        train(inputs, f"{batch_size} slices {gpu.slices_fit}", CPU, batch_size=batch_size, epochs=1)
        waits.append(gpu.waits)
    assert waits[0] == waits[1]


def test_in_float16_an_interruption_on_a_gpu_changes_no_bit(inputs):
    expected = train(inputs, "float16", simulated_cuda, precision="auto")
    interrupted(inputs, "stopped float16", simulated_cuda, precision="auto")
    assert_same(train(inputs, "stopped float16", simulated_cuda, precision="auto"), expected)


def test_a_gpu_gives_the_probabilities_of_a_cpu(inputs, on_cpu, tmp_path):
    pd.DataFrame({"case": ["a", "b"], "patient": "p", "split": "test"}).to_csv(tmp_path / "splits.csv", index=False)
    rng = torch.Generator().manual_seed(0)
    properties = {
        "spacing": [10, 2, 2],
        "shape_before_cropping": (5, 32, 32),
        "bbox_used_for_cropping": [[0, 4], [0, 32], [0, 32]],
    }
    for case in ("a", "b"):
        voxels = torch.randn(1, 4, 32, 32, generator=rng).numpy()
        write_preprocessed(tmp_path, case, PreprocessedCase(voxels, properties))
    tables = []
    for device in (CPU, simulated_cuda):
        with device():
            classify(
                weights=inputs / "cpu/weights.pth",
                store=tmp_path,
                splits=tmp_path / "splits.csv",
                threads=1,
                probabilities=tmp_path / "probabilities.csv",
            )
        tables.append((tmp_path / "probabilities.csv").read_text())
    assert tables[0] == tables[1]
    assert tables[0].count("\n") == 11
