"""Processor time of drawing and augmenting slices, by our segmenters' loader and by nnU-Net's, on the same store.

PYTHONPATH=workflow_scripts python tests/benchmarks/loader.py --raw data/ACDC --format acdc --json loader.json

A GPU waits if its loader is slower than its network. Here one process draws; on a GPU, all threads of a training but
one draw. The plan is nnU-Net's for the data. Under `low`, slices are drawn by the paper's batch sampling.
"""

import json
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from training import Data

from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import model_plans
from report import arguments, compared, interleaved, quiet, report

STOCK = "nnU-Net's loader"
UNIFORM, LOW = {"sampling": "uniform"}, {"sampling": "quadratic", "ratio": 4}
PLAN = {"spacing_mm": None, "patch_size_px": None, "features": None}


def draw(loader: Iterator[dict], batches: int) -> None:
    """Take so many batches."""
    deque(islice(loader, batches), maxlen=0)


def our_batches(data: Data, policy: dict, batch_size: int) -> Iterator[dict]:
    """Training batches as `SliceTrainer` draws them in its own process."""
    training = {
        **{"epochs": 1000, "iterations_per_epoch": 250, "validation_iterations": 50},
        **{"batch_size": batch_size, "learning_rate": 0.01, "precision": "fp32"},
    }
    plans = model_plans(data.plans, data.slices, "model", policy, training, seed=0)
    return _batches(SliceTrainer, plans, "model", data)


def stock_batches(data: Data, batch_size: int) -> Iterator[dict]:
    """Training batches as `nnUNetTrainer` draws them in its own process."""
    plans = json.loads(data.plans.read_text())
    plans["configurations"]["2d"]["batch_size"] = batch_size
    with patch.dict(os.environ, nnUNet_n_proc_DA="0"):
        return _batches(nnUNetTrainer, plans, "2d", data)


def _batches(trainer: type[nnUNetTrainer], plans: dict, configuration: str, data: Data) -> Iterator[dict]:
    made = trainer(
        {**plans, "continue_training": False},
        configuration,
        0,
        json.loads(data.dataset.read_text()),
        torch.device("cpu"),
    )
    made.initialize()
    return made.get_dataloaders()[0]


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__.splitlines()[0], raw="", format="nifti", patients=8, batch_size=32, batches=6)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        data = Data(Path(scratch))
        with quiet():
            patients = {"train": options.patients, "validation": 2}
            data.make(options.raw, options.format, patients, PLAN, len(os.sched_getaffinity(0)))
        set_nnunet_folders(data.preprocessed)

        with quiet():
            loaders = {
                STOCK: stock_batches(data, options.batch_size),
                "this workflow, uniform": our_batches(data, UNIFORM, options.batch_size),
                "this workflow, low": our_batches(data, LOW, options.batch_size),
            }
        variants = {name: partial(draw, loader, options.batches) for name, loader in loaders.items()}
        times = interleaved(variants, options.repeats)
        rows = compared(times, STOCK)
        for row, name in zip(rows, times, strict=True):
            row["ms_per_slice"] = 1000 * times[name].cpu_s / (options.batch_size * options.batches)
        report(f"{options.batches} mini-batches of {options.batch_size} slices, one process", rows, options.json)


if __name__ == "__main__":
    main()
