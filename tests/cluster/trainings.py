"""Trainings that are submitted: one cohort, small models, and where their files are."""

import os
import re
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from workflow import TINY, merged

ONE_COHORT = merged(
    TINY,
    {
        "cohorts": {"mnms": None, "acdc": None},
        "classification": {"networks": {"squeezenet1_0": None}},
        "demo": {"folder": "raw", "patients": {"nhs": 4}},
    },
)
EPOCHS = {"epochs": 6, "iterations_per_epoch": 10, "checkpoint_every": 1}
TRAINING = ONE_COHORT | {
    "segmentation": ONE_COHORT["segmentation"] | EPOCHS,
    "classification": ONE_COHORT["classification"] | {"epochs": 15, "checkpoint_every": 1},
}
"""Trainings of some epochs, to be disturbed in one of them."""

WEIGHTS = "results/nnunet/results/Dataset001_nhs/SliceTrainer__nnUNetPlans__baseline/fold_0/checkpoint_final.pth"
OTHER_WEIGHTS = WEIGHTS.replace("baseline", "apex")
LOG = "results/logs/train_segmenter/baseline.log"
CLASSIFIER = "results/classifiers/shufflenet_v2_x1_0/weights.pth"
CLASSIFIER_LOG = "results/logs/train_classifier/shufflenet_v2_x1_0.log"
SLICES = "results/cohorts/nhs/slices.csv"


def same_weights(first, second):
    """Whether two trainings ended with the same weights and optimiser, to the bit."""
    states = [torch.load(folder / WEIGHTS, weights_only=False) for folder in (first, second)]
    weights, momentum = ([leaves(state[part]) for state in states] for part in ("network_weights", "optimizer_state"))
    return weights[0] == weights[1] and momentum[0] == momentum[1]


def leaves(state):
    """Nested state with its tensors as bytes."""
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    if isinstance(state, dict):
        return {key: leaves(value) for key, value in state.items()}
    return [leaves(value) for value in state] if isinstance(state, list | tuple) else state


def same_classifiers(first, second):
    """Whether two classifiers have the same weights, to the bit."""
    one, other = (torch.load(folder / CLASSIFIER, weights_only=True)["state_dict"] for folder in (first, second))
    return leaves(one) == leaves(other)


def slurm_log(job, training="train_segmenter/baseline"):
    """Where SLURM and the inner Snakemake write about a training."""
    return f"results/logs/slurm/rule_{training}/{job}.log"


def process_of(submission, log=LOG):
    """Process id of the running training that writes this log."""
    lock = Path(log).with_name(f".{Path(log).name}.lock")
    return int(re.search(r"process (\d+)", submission.text(lock))[1])


def hold_after_second_epoch(submission, log=LOG):
    """Hold a training, so that it is still there when it is disturbed, and return its process id.

    SLURM lets a process go on when it ends its job.
    """
    submission.wait_for_words("epoch 2/", log)
    process = process_of(submission, log)
    os.kill(process, signal.SIGSTOP)
    return process


@contextmanager
def stopped(process):
    """Hold a process."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
