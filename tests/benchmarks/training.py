"""A training step of our segmenters against nnU-Net's own on the same store and plan, and what each choice costs.

PYTHONPATH=workflow_scripts python tests/benchmarks/training.py --batch-size 4 --json training.json
PYTHONPATH=workflow_scripts python tests/benchmarks/training.py --raw data/ACDC --format acdc

Every turn is a training of one short epoch, ours by the function that the rule calls, nnU-Net's as its command runs it.
The plan is nnU-Net's for the data unless `--patch` and `--features` shrink it; `--variants fp32,compiled` picks rows of
the table.
"""

import contextlib
import gc
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from stacks import raw_cohort

from cmrslices.cohorts.convert.cohort import convert_cohort
from cmrslices.cohorts.regions import PAPER, assign_regions
from cmrslices.runtime.devices import best_device
from cmrslices.segmentation import training as segmentation
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.planning import plan_segmentation
from cmrslices.segmentation.preprocessing import preprocess_segmentation
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from report import arguments, quiet, report

DATASET = "Dataset001_bench"
STOCK = "nnUNetTrainer"
NETWORK = ("forward", "loss", "backward", "optimiser")
PAPERS_STEPS = 250


class Data:
    """A cohort with nnU-Net's plan and store, and the arguments of trainings on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cohort = root / "cohort"
        self.preprocessed = root / f"nnunet/preprocessed/{DATASET}"
        self.dataset = root / f"nnunet/raw/{DATASET}/dataset.json"
        self.plans = self.preprocessed / "nnUNetPlans.json"
        self.folds = self.preprocessed / "splits_final.json"
        self.slices = self.cohort / "slices.csv"
        self.results = root / "nnunet/results"
        self.preprocessed_cohort = self.cohort / "preprocessed"

    def make(self, raw: str, raw_format: str, patients: dict[str, int], plan: dict, threads: int) -> None:
        """Convert a raw cohort, synthetic without one, deal its patients to splits in turn, plan and preprocess."""
        row = {"format": raw_format, "folder": raw} if raw else raw_cohort(self.root / "raw", sum(patients.values()))
        convert_cohort(
            "bench", row, *(self.cohort / name for name in ("images", "labels", "cases.csv", "finished")), "", threads
        )
        cases = pd.read_csv(self.cohort / "cases.csv")
        wanted = [split for split, count in patients.items() for _ in range(count)]
        names = sorted(cases["patient"].unique())
        # Cohorts list patients by disease or centre: every split takes them from the whole list.
        dealt = dict(zip(names[:: len(names) // len(wanted)], _spread(patients), strict=False))
        splits = cases[["case", "patient"]].assign(split=cases["patient"].map(dealt)).dropna()
        splits.to_csv(self.cohort / "splits.csv", index=False)
        labels = self.cohort / "labels"
        assign_regions(self.cohort / "cases.csv", labels, self.slices, PAPER, threads)
        plan_segmentation(
            self.cohort / "images",
            labels,
            self.cohort / "splits.csv",
            plan,
            self.dataset,
            self.plans,
            self.folds,
            threads,
        )
        preprocess_segmentation(self.plans, self.dataset, self.store, threads)

    @property
    def store(self) -> Path:
        """What is trained on."""
        return self.preprocessed / "store"

    def arguments(self, model: str, training: dict, seed: int, threads: int) -> dict:
        """What `train_segmenter` is called with."""
        return {
            "model": model,
            "policy": {"sampling": "uniform"},
            "training": training,
            "seed": seed,
            "code": "",
            "store": str(self.store),
            "plans": str(self.plans),
            "folds": str(self.folds),
            "dataset": str(self.dataset),
            "slices": str(self.slices),
            "weights": str(self.weights(model)),
            "threads": threads,
            "checkpoint_every": training["epochs"],
        }

    def weights(self, model: str) -> Path:
        """Where the checkpoint of a model lies."""
        return self.results / f"{DATASET}/SliceTrainer__nnUNetPlans__{model}/fold_0/checkpoint_final.pth"


class Clock:
    """Seconds of the parts of every training step."""

    def __init__(self) -> None:
        self.synchronise = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
        self.steps, self.between_epochs_s, self.epoch_s = [], 0.0, 0.0

    def start(self) -> None:
        """Start a step."""
        self.steps.append({})
        self.last = self._now()

    def mark(self, part: str) -> None:
        """End a part of the step."""
        now = self._now()
        self.steps[-1][part] = now - self.last
        self.last = now

    def _now(self) -> float:
        self.synchronise()
        return time.perf_counter()

    def row(self, warm_ups: int) -> dict[str, float]:
        """Mean seconds of a step and of its parts, after the steps that warm up."""
        table = pd.DataFrame(self.steps[warm_ups:]).fillna(0.0)
        return {"step_s": table.sum(axis=1).mean(), **table.mean().add_suffix("_s")}


def timed(trainer: type, clock: Clock, choices: dict) -> type:
    """Subclass a trainer: it notes its time, and takes some choices differently."""

    class Timed(trainer):
        def initialize(self) -> None:
            super().initialize()
            if choices.get("channels_last"):
                self.network.to(memory_format=torch.channels_last)
            if choices.get("fused"):
                for group in self.optimizer.param_groups:
                    group["fused"] = True
            loss = self.loss
            self.optimizer.register_step_pre_hook(lambda *_: clock.mark("backward"))
            self.optimizer.register_step_post_hook(lambda *_: clock.mark("optimiser"))

            def timed_loss(output: object, target: object) -> torch.Tensor:
                if not self.network.training:
                    return loss(output, target)
                clock.mark("forward")
                value = loss(output, target)
                clock.mark("loss")
                return value

            self.loss = timed_loss

        def _do_i_compile(self) -> bool:
            return choices.get("compile", super()._do_i_compile())

        def on_train_epoch_start(self) -> None:
            super().on_train_epoch_start()
            clock.start()

        def train_step(self, batch: dict) -> dict:
            clock.mark("loading")
            output = super().train_step(batch)
            clock.mark("rest")
            clock.start()
            return output

        def on_train_epoch_end(self, outputs: list[dict]) -> None:
            clock.steps.pop()
            super().on_train_epoch_end(outputs)

        def on_epoch_end(self) -> None:
            before = time.perf_counter()
            super().on_epoch_end()
            clock.between_epochs_s += time.perf_counter() - before

    Timed.__name__ = trainer.__name__
    return Timed


def train_ours(data: Data, training: dict, choices: dict, threads: int) -> Clock:
    """One short training as the rule runs it."""
    clock = Clock()
    torch.backends.cudnn.benchmark = False
    trainer = timed(SliceTrainer, clock, choices)
    kept = (
        patch("cmrslices.segmentation.trainers.slice_trainer.channels_last")
        if "contiguous" in choices
        else contextlib.nullcontext()
    )
    with patch.object(segmentation, "SliceTrainer", trainer), kept, _fresh(data):
        segmentation.train_segmenter(**data.arguments("baseline", training, 0, threads))
    return clock


def train_stock(data: Data, training: dict) -> Clock:
    """One short training as `nnUNetv2_train` runs it."""
    clock, device = Clock(), best_device()
    set_nnunet_folders(data.preprocessed)
    torch.set_num_threads(1 if device.type == "cuda" else os.cpu_count())
    torch.backends.cudnn.benchmark = True
    plans = json.loads(data.plans.read_text())
    plans["configurations"]["2d"]["batch_size"] = training["batch_size"]
    with _fresh(data):
        trainer = timed(nnUNetTrainer, clock, {})(
            {**plans, "continue_training": False}, "2d", 0, json.loads(data.dataset.read_text()), device
        )
        trainer.num_epochs = 1
        trainer.num_iterations_per_epoch = training["iterations_per_epoch"]
        trainer.num_val_iterations_per_epoch = training["validation_iterations"]
        trainer.run_training()
    return clock


def variants(device: torch.device) -> dict[str, tuple[str, dict]]:
    """Our trainings by name: their precision, and the choices that differ from ours."""
    own = {
        "ours": ("auto", {}),
        "ours, fp32": ("fp32", {}),
        "ours, fused optimiser": ("auto", {"fused": True}),
    }
    if device.type == "cpu":
        return own | {
            "ours, contiguous": ("auto", {"contiguous": True}),
            "ours, compiled": ("auto", {"compile": True}),
        }
    return own | {
        "ours, bf16": ("bf16", {}),
        "ours, channels last": ("auto", {"channels_last": True}),
        "ours, not compiled": ("auto", {"compile": False}),
    }


def pair(text: str) -> list[int] | None:
    """Numbers of `256,224`; None of nothing."""
    return [int(number) for number in text.split(",")] if text else None


@contextlib.contextmanager
def _fresh(data: Data) -> Iterator[None]:
    shutil.rmtree(data.results, ignore_errors=True)
    with quiet():
        yield
    gc.collect()  # ends the processes that loaded


def _spread(patients: dict[str, int]) -> list[str]:
    places = [((turn + 0.5) / count, split) for split, count in patients.items() for turn in range(count)]
    return [split for _, split in sorted(places)]


def main() -> None:
    """Measure and report."""
    options = arguments(
        __doc__.splitlines()[0],
        repeats=3,
        raw="",
        format="nifti",
        patients=8,
        batch_size=32,
        patch="",
        features="",
        steps=6,
        warm_ups=2,
        variants="all",
        threads=len(os.sched_getaffinity(0)),
    )
    plan = {"spacing_mm": None, "patch_size_px": pair(options.patch), "features": pair(options.features)}
    training = {
        "epochs": 1,
        "iterations_per_epoch": options.steps + options.warm_ups,
        "validation_iterations": 1,
        "batch_size": options.batch_size,
        "learning_rate": 0.01,
        "deterministic": False,
    }
    with tempfile.TemporaryDirectory() as scratch:
        data = Data(Path(scratch))
        with quiet():
            data.make(
                options.raw,
                options.format,
                {"train": options.patients, "validation": 2},
                plan,
                options.threads,
            )
        chosen: dict[str, Callable[[], Clock]] = {STOCK: lambda: train_stock(data, training)}
        for name, (precision, choices) in variants(best_device()).items():
            if (
                name == "ours"
                or options.variants == "all"
                or name.removeprefix("ours, ") in options.variants.split(",")
            ):
                chosen[name] = lambda precision=precision, choices=choices: train_ours(
                    data, {**training, "precision": precision}, choices, options.threads
                )
        clocks = {name: [] for name in chosen}
        for _ in range(options.repeats):
            for name, run in chosen.items():
                clocks[name].append(run())
        means = {name: [clock.row(options.warm_ups) for clock in done] for name, done in clocks.items()}
        medians = {name: pd.DataFrame(rows).median() for name, rows in means.items()}
        rows = [
            {
                "variant": name,
                **row,
                "share_in_network": row[[f"{part}_s" for part in NETWORK]].sum() / row["step_s"],
                "ratio": medians[STOCK]["step_s"] / row["step_s"],
            }
            for name, row in medians.items()
        ]
        configuration = json.loads(data.plans.read_text())["configurations"]["2d"]
        between_s = statistics.median(clock.between_epochs_s for clock in clocks["ours"])
        ours = medians["ours"]
        in_network_s = sum(ours[f"{part}_s"] for part in NETWORK)
        report(
            f"A training step of {options.batch_size} slices, {best_device().type}, {options.threads} threads",
            rows,
            options.json,
            patch_size_px=configuration["patch_size"],
            features=configuration["architecture"]["arch_kwargs"]["features_per_stage"],
            repeats=options.repeats,
            steps_a_repeat=options.steps,
            between_epochs_s=between_s,
            share_in_network_of_the_papers_epoch=PAPERS_STEPS
            * in_network_s
            / (PAPERS_STEPS * ours["step_s"] + between_s),
        )


if __name__ == "__main__":
    main()
