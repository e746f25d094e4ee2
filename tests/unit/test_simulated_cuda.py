"""The simulated GPU: what is an error on a GPU is one on it, what is allowed is allowed, and its counts are right."""

from dataclasses import replace

import numpy as np
import pytest
import simulated_cuda as simulation
import tiny_classification
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from simulated_cuda import GPU, Counts, GPUTensor
from tiny_segmentation import Project

from cmrslices.classification import inference, networks
from cmrslices.classification import training as classification
from cmrslices.runtime.checkpoints import read_checkpoint
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer

TWO_DEVICES = "Expected all tensors to be on the same device"
OTHER_GENERATOR = "Expected a 'cuda' device type for generator but found 'cpu'"
NO_NUMPY = "can't convert cuda:0 device type tensor to numpy"


@pytest.fixture
def counts():
    """The counts of a simulated GPU, which is there as long as the test runs."""
    with simulation.simulated_cuda() as counts:
        yield counts


# ---- Errors of single operators ---------------------------------------------

ON_CPU = torch.arange(4.0)
ERRORS = {
    "a sum of two devices": (lambda x: x + ON_CPU, TWO_DEVICES),
    "a matrix product of two devices": (lambda x: x @ ON_CPU, TWO_DEVICES),
    "a single number of the CPU in a list": (lambda x: torch.stack([x[0], torch.tensor(1.0)]), TWO_DEVICES),
    "a tensor of the CPU indexed from the GPU": (lambda x: ON_CPU[x.long()], TWO_DEVICES),
    "a tensor of the CPU that is changed by one of the GPU": (lambda x: ON_CPU.clone().add_(x), TWO_DEVICES),
    "values of the CPU at indices": (lambda x: x.index_put_((torch.tensor([0, 1]),), ON_CPU[:2]), TWO_DEVICES),
    "targets that stayed on the CPU": (lambda x: nll(x.reshape(1, 4), torch.tensor([1])), TWO_DEVICES),
    "a generator of the CPU": (lambda x: torch.rand(3, generator=torch.Generator(), device=x.device), OTHER_GENERATOR),
    "a generator of the CPU in place": (lambda x: x.normal_(generator=torch.Generator()), OTHER_GENERATOR),
    "numpy()": (lambda x: x.numpy(), NO_NUMPY),
    "numpy.asarray": (np.asarray, NO_NUMPY),
    "pinned memory on the GPU": (lambda x: x.pin_memory(), "only dense CPU tensors can be pinned"),
    "a copy to the CPU that is not waited for": (lambda x: x.to("cpu", non_blocking=True), "before it has ended"),
}
nll = torch.nn.functional.cross_entropy


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_an_error_on_a_gpu_is_one(counts, name):
    act, message = ERRORS[name]
    with pytest.raises((RuntimeError, TypeError), match=message):
        act(ON_CPU.to(GPU))


def test_gradients_meet_only_on_one_device(counts):
    weights = torch.ones(4, device="cuda", requires_grad=True)
    with pytest.raises(RuntimeError, match=TWO_DEVICES):
        (weights * ON_CPU).sum().backward()


ALLOWED = {
    "a single number of the CPU": lambda x: x * torch.tensor(2.0),
    "indices of the CPU": lambda x: x[torch.tensor([0, 2])],
    "a generator of the GPU": lambda x: torch.rand(3, generator=torch.Generator(x.device), device=x.device),
    "a copy from one device into the other": lambda x: x.copy_(ON_CPU),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_on_a_gpu_is_allowed(counts, name):
    assert ALLOWED[name](ON_CPU.to(GPU)).device == GPU


# ---- Counts -----------------------------------------------------------------

COUNTED = {
    "an operator": (lambda x: x + 1, {"operators": 1}),
    "a view": (lambda x: x.view(2, 2)[0], {}),
    "item": (lambda x: x[0].item(), {"to_cpu": 1, "waits": 1}),
    "a condition": (lambda x: bool(x[0]), {"to_cpu": 1, "waits": 1}),
    "a copy to the CPU": (lambda x: x.cpu(), {"to_cpu": 1, "waits": 1}),
    "a copy from the CPU": (lambda x: ON_CPU.to(x.device), {"to_gpu": 1, "to_gpu_unpinned": 1, "waits": 1}),
    "one from pinned memory": (lambda x: pinned(2).to(x.device), {"to_gpu": 1, "waits": 1}),
    "one that need not wait": (lambda x: pinned(2).to(x.device, non_blocking=True), {"to_gpu": 1}),
    "indices of the CPU": (lambda x: x[[0, 2]], {"operators": 1, "to_gpu": 1, "to_gpu_unpinned": 1, "waits": 1}),
    "the places of a mask": (lambda x: torch.nonzero(x), {"operators": 1, "waits": 1}),
    "zeros": (lambda x: torch.zeros(2, device=x.device), {"operators": 1}),
    "memory without content": (torch.empty_like, {}),
    "waiting": (lambda x: torch.cuda.synchronize(), {"waits": 1}),
}


def pinned(length):
    return torch.ones(length).pin_memory()


@pytest.mark.parametrize("name", COUNTED)
def test_copies_operators_and_waits_are_counted(counts, name):
    act, expected = COUNTED[name]
    on_gpu = ON_CPU.to(GPU)
    before = replace(counts)
    act(on_gpu)
    assert counts.since(before) == Counts(**expected)


def test_nothing_is_left_of_the_simulation():
    before = torch.Tensor.to, torch.zeros, torch.load, torch.Generator, torch.autocast.__init__
    with simulation.simulated_cuda():
        torch.zeros(2, device="cuda")
    assert before == (torch.Tensor.to, torch.zeros, torch.load, torch.Generator, torch.autocast.__init__)
    assert not issubclass(torch.Generator, simulation.Generator)


# ---- Faults in the project's own code ---------------------------------------


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifiers")
    tiny_classification.make_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project")).make()


def train_classifier(folder):
    (folder / "faulty").mkdir(exist_ok=True)
    arguments = tiny_classification.arguments(folder, "faulty", network="shufflenet_v2_x0_5", epochs=1)
    classification.train_classifier(**arguments)


def test_loss_weights_that_stayed_on_the_cpu_are_found(counts, classifiers, monkeypatch):
    monkeypatch.setattr(torch.nn.CrossEntropyLoss, "to", lambda loss, _: loss)
    with pytest.raises(RuntimeError, match=TWO_DEVICES):
        train_classifier(classifiers)


def test_augmentation_by_a_generator_of_the_cpu_is_found(counts, classifiers, monkeypatch):
    augment = classification.augment
    monkeypatch.setattr(classification, "augment", lambda slices, _: augment(slices, torch.Generator()))
    with pytest.raises(RuntimeError, match=OTHER_GENERATOR):
        train_classifier(classifiers)


def test_a_batch_that_is_not_moved_to_the_gpu_is_found(counts, project, monkeypatch):
    train_step = nnUNetTrainer.train_step

    def without_transfer(trainer, batch):
        trainer.device = torch.device("cpu")
        return train_step(trainer, batch)

    monkeypatch.setattr(nnUNetTrainer, "train_step", without_transfer)
    with pytest.raises(RuntimeError, match=TWO_DEVICES):
        project.train("faulty", {"sampling": "uniform"}, epochs=1)


def test_a_validation_whose_counts_stay_on_the_gpu_is_found(counts, project, monkeypatch):
    monkeypatch.setattr(SliceTrainer, "train_step", lambda *_: {"loss": np.float32(1)})
    monkeypatch.setattr(GPUTensor, "cpu", lambda tensor: tensor, raising=False)
    with pytest.raises(TypeError, match=NO_NUMPY):
        project.train("faulty", {"sampling": "uniform"}, epochs=1)


def test_probabilities_that_stay_on_the_gpu_are_found(counts, monkeypatch):
    model = networks.build("shufflenet_v2_x0_5", 32).to(GPU).eval()
    case = inference.UnseenCase("a", torch.zeros(2, 1, 32, 32), range(2), 2)
    monkeypatch.setattr(GPUTensor, "cpu", lambda tensor: tensor, raising=False)
    with pytest.raises(TypeError, match=NO_NUMPY):
        inference.classify_cases(model, [case])


def test_a_file_of_a_gpu_that_is_read_to_where_it_came_from_is_found(tmp_path):
    with simulation.simulated_cuda():
        torch.save({"weights": torch.ones(3, device="cuda")}, tmp_path / "weights.pth")
    with pytest.raises(
        RuntimeError, match=r"deserialize object on a CUDA device but torch.cuda.is_available\(\) is False"
    ):
        torch.load(tmp_path / "weights.pth", weights_only=True)
    assert torch.equal(read_checkpoint(tmp_path / "weights.pth")["weights"], torch.ones(3))
