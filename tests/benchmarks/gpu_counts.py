"""How often a training on a GPU copies between CPU and GPU and waits for the GPU, and how many operators it starts.

PYTHONPATH=workflow_scripts:tests/helpers python tests/benchmarks/gpu_counts.py --json gpu_counts.json

No GPU is needed, and none is used: the counts are those of `tests/helpers/simulated_cuda.py`. They say what a GPU is
asked to do, and nothing about how long that takes. Slices are tiny. The counts of a mini-batch do not depend on sizes,
except that a larger network has more operators. What an epoch does beside its mini-batches is given for the epoch that
copied most to the CPU: there, a classifier keeps its parameters, and a segmenter writes `checkpoint_best.pth`.
"""

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import tiny_classification
from simulated_cuda import Counts, simulated_cuda
from tiny_segmentation import JOINT, Project

from cmrslices.classification import training as classification
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import train_segmenter
from report import arguments, quiet, report

TRAINING, VALIDATION = "mini-batch of training", "mini-batch of validation"
OTHER = "all else in an epoch"


class Steps:
    """The counts at the beginning of each mini-batch."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.begun: list[tuple[str, Counts]] = []

    def begin(self, part: str) -> None:
        """A mini-batch begins."""
        self.begun.append((part, replace(self.counts)))

    def rows(self, training: str) -> list[dict]:
        """Medians of the mini-batches, and the rest of the epoch that has most of it; the first epoch is left out."""
        epochs, of_epoch = [], defaultdict(list)
        for (part, before), (following, after) in pairwise(self.begun):
            if part == TRAINING and not of_epoch[part]:
                started = before
            if part == following:
                of_epoch[part].append(after.since(before))
            elif following == TRAINING:
                epochs.append((after.since(started), dict(of_epoch)))
                of_epoch.clear()
        medians = {
            part: {
                name: statistics.median(getattr(step, name) for _, steps in epochs[1:] for step in steps[part])
                for name in vars(self.counts)
            }
            for part in (TRAINING, VALIDATION)
        }
        # The last mini-batches of training and of validation end with other work; they count as medians.
        others = [
            {
                name: getattr(whole, name)
                - sum(getattr(step, name) for part in steps.values() for step in part)
                - sum(median[name] for median in medians.values())
                for name in vars(self.counts)
            }
            for whole, steps in epochs[1:]
        ]
        parts = {**medians, OTHER: max(others, key=lambda other: other["to_cpu"])}
        return [{"training": training, "part": part, **counted} for part, counted in parts.items()]


def classifier(folder: Path, network: str, precision: str) -> list[dict]:
    """Counts of a classifier's training."""
    tiny_classification.make_inputs(folder)
    (folder / "trained").mkdir()
    with simulated_cuda() as counts:
        steps = Steps(counts)
        stop_if_interrupted = classification.stop_if_interrupted

        def stop(state: classification.State, *others: object) -> None:
            steps.begin(TRAINING if state.model.training else VALIDATION)
            stop_if_interrupted(state, *others)

        with patch.object(classification, "stop_if_interrupted", stop):
            settings = {"network": network, "precision": precision, "checkpoint_every": 100}
            classification.train_classifier(**tiny_classification.arguments(folder, "trained", **settings))
    return steps.rows(f"classifier, {network}")


def segmenter(project: Project, name: str, precision: str, **joint: object) -> list[dict]:
    """Counts of a segmenter's training."""
    sizes = {"epochs": 4, "iterations_per_epoch": 4, "validation_iterations": 3, "checkpoint_every": 100}
    with simulated_cuda() as counts:
        steps = Steps(counts)

        def noted(step: Callable, part: str) -> Callable:
            def call(trainer: SliceTrainer, batch: dict) -> dict:
                steps.begin(part)
                return step(trainer, batch)

            return call

        with (
            patch.object(SliceTrainer, "train_step", noted(SliceTrainer.train_step, TRAINING)),
            patch.object(SliceTrainer, "validation_step", noted(SliceTrainer.validation_step, VALIDATION)),
        ):
            uniform = {"sampling": "uniform"}
            train_segmenter(**project.arguments(name, uniform, precision=precision, **sizes, **joint))
    return steps.rows(name)


def main() -> None:
    """Count and report."""
    options = arguments(__doc__.splitlines()[0], repeats=1, network="resnet18", precision="auto")
    with tempfile.TemporaryDirectory() as folder, quiet():
        rows = classifier(Path(folder), options.network, options.precision)
        project = Project(Path(folder) / "project").make()
        rows += segmenter(project, "segmenter", options.precision)
        rows += segmenter(project, "joint network", options.precision, joint=JOINT)
    report(f"Counts on a simulated GPU, precision {options.precision}", rows, options.json)


if __name__ == "__main__":
    main()
