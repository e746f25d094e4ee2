"""The record of what made a result, and of what trainings computed on."""

from functools import partial

import pytest
import torch
import yaml
from simulated_cuda import NAME, simulated_cuda

from cmrslices.runtime.device_record import NAME as RECORD
from cmrslices.runtime.device_record import read_tries, recorded
from cmrslices.runtime.devices import used
from cmrslices.runtime.interruption import Interrupted
from cmrslices.runtime.provenance import write_provenance

IN_BF16 = partial(used, torch.device("cpu"), "bf16")
IN_FP32 = partial(used, torch.device("cpu"), "fp32")
SETTINGS = {"models": {"baseline": {}, "apex": {}}, "classification": {"networks": {"resnet18": "ResNet18"}}}
ON_CPU = {"device": "CPU", "number_type": "bfloat16", "torch": torch.__version__}


def record(folder, made_from="same"):
    with recorded(folder / "weights.pth", made_from, IN_BF16):
        pass


def test_of_a_gpu_name_versions_number_type_and_peak_memory_are_recorded(tmp_path):
    with simulated_cuda():
        told = used(torch.device("cuda"), "auto")
    assert told == {
        "device": NAME,
        "number_type": "float16",
        "torch": torch.__version__,
        "driver": None,
        "cuda": torch.version.cuda,
        "cudnn": 91002,
        "peak_memory_mb": 3072,
    }


def test_every_try_is_recorded_also_one_that_was_told_to_stop(tmp_path):
    with pytest.raises(Interrupted), recorded(tmp_path / "weights.pth", "same", IN_FP32):
        raise Interrupted
    record(tmp_path)
    assert [told["number_type"] for told in read_tries(tmp_path / RECORD)] == ["float32", "bfloat16"]


def test_tries_of_another_training_are_forgotten(tmp_path):
    record(tmp_path, "other")
    record(tmp_path)
    assert read_tries(tmp_path / RECORD) == [ON_CPU]


def test_a_failed_try_leaves_no_record(tmp_path):
    with pytest.raises(OSError, match="full"), recorded(tmp_path / "weights.pth", "same", IN_FP32):
        raise OSError("full")
    assert not (tmp_path / RECORD).exists()


def test_provenance_tells_what_the_configured_trainings_computed_on(tmp_path):
    folders = [f"nnunet/results/Dataset001_c/SliceTrainer__nnUNetPlans__{name}/fold_0" for name in ("baseline", "old")]
    for folder in (*folders, "classifiers/resnet18"):
        (tmp_path / folder).mkdir(parents=True)
        record(tmp_path / folder)
    write_provenance(SETTINGS, tmp_path / "provenance.yaml")
    told = yaml.safe_load((tmp_path / "provenance.yaml").read_text())["trainings"]
    assert told == {"models": {"baseline": [ON_CPU]}, "classifiers": {"resnet18": [ON_CPU]}}
