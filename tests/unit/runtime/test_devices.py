"""The device of a job: never the CPU in silence where the job has a GPU, and never the GPU of another job."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cmrslices.runtime import devices
from cmrslices.runtime.devices import CHOICE, GIVEN, best_device, job_device
from cmrslices.runtime.errors import InputError

VERSION = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01  Wed Oct 27 21:21:55 UTC 2021\n"


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine whose driver's folder is `tmp_path`, and on which torch can use no GPU."""
    for name in (CHOICE, *GIVEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(devices, "DRIVER", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return tmp_path


def test_without_a_gpu_the_device_is_the_cpu_and_is_printed(capsys):
    assert job_device("fp32") == torch.device("cpu")
    assert f"device: CPU, torch.float32, torch {torch.__version__}" in capsys.readouterr().out


@pytest.mark.parametrize("name", GIVEN)
def test_a_job_that_was_given_a_gpu_stops_if_torch_cannot_use_it(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    with pytest.raises(InputError, match=rf"this job has a GPU \({name}=1\).*driver: none found.*export {CHOICE}=cpu"):
        best_device()


def test_a_driver_that_is_too_old_is_named_with_the_cuda_of_torch(machine):
    (machine / "version").write_text(VERSION)
    with pytest.raises(InputError, match=rf"driver: 470\.82\.01, CUDA of this torch: {torch.version.cuda or 'none'}"):
        best_device()


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles"])
def test_a_gpu_that_is_hidden_from_the_job_is_not_missed(machine, monkeypatch, value):
    (machine / "version").write_text(VERSION)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert best_device() == torch.device("cpu")


def test_a_user_may_compute_on_the_cpu_although_there_is_a_gpu(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_GPUS", "0")
    monkeypatch.setenv(CHOICE, "cpu")
    assert best_device() == torch.device("cpu")


@pytest.fixture
def tf32():
    """Whether torch may compute in TF32, for convolutions and for products; it may when the test begins."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield lambda: (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def test_float32_on_a_gpu_is_not_tf32(tf32):
    job_device("auto")
    assert tf32() == (True, True)
    job_device("fp32")
    assert tf32() == (False, False)


TAKE = """
import os, sys, torch
from pathlib import Path
from cmrslices.runtime import devices
devices.DRIVER = Path(sys.argv[1])
torch.cuda.is_available = lambda: True
torch.cuda.get_device_name = lambda: "a GPU"
devices.job_device("fp32")
print(os.environ.get("CUDA_VISIBLE_DEVICES", "all"), flush=True)
sys.stdin.read()
"""


class Job:
    """A process that takes a GPU and keeps it until it is ended."""

    def __init__(self, machine, **environment):
        environment = {"PYTHONPATH": str(Path("workflow_scripts").resolve()), "TMPDIR": str(machine), **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE, machine],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment},
        )
        self.process.stdout.readline()
        self.gpus = self.process.stdout.readline().strip()

    def end(self):
        self.process.communicate()


def test_jobs_at_once_take_a_gpu_each_and_a_freed_one_is_taken_again(machine):
    for number in range(2):
        (machine / f"gpus/0000:0{number}:00.0").mkdir(parents=True)
    first, second, third = Job(machine), Job(machine), Job(machine)
    first.end()
    fourth = Job(machine)
    for job in (second, third, fourth):
        job.end()
    assert [job.gpus for job in (first, second, third, fourth)] == ["0", "1", "all", "0"]


def test_a_job_that_slurm_gave_gpus_to_takes_no_other(machine):
    for number in range(2):
        (machine / f"gpus/0000:0{number}:00.0").mkdir(parents=True)
    job = Job(machine, CUDA_VISIBLE_DEVICES="1")
    job.end()
    assert job.gpus == "1"
