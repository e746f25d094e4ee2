"""Classifier training against a plain DataLoader with torchvision's v2 transforms, and the hours of the paper's.

PYTHONPATH=workflow_scripts python tests/benchmarks/classifiers.py --networks resnet18 --json classifiers.json
PYTHONPATH=workflow_scripts python tests/benchmarks/classifiers.py --raw data/ACDC --format acdc --repeats 3

The plain training reads every slice from its file in every epoch, with as many workers as cores. Both have the same
slices, networks, batch size, learning rate, epochs and seeds, and augmentation of the same kinds and strengths. A
repeat is a seed; with none there is only the estimate, from `--paper-steps` steps of the paper's size per network.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import SimpleITK as sitk
import torch
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from training import Data

from cmrslices.classification import augmentation, networks
from cmrslices.classification import training as ours
from cmrslices.classification.slices import Slices
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.checkpoints import Checkpoint
from cmrslices.runtime.devices import Precision, autocast, best_device, lowered_dtype
from cmrslices.runtime.interruption import Interruption
from report import arguments, quiet, report

NETWORKS = "alexnet densenet121 mobilenet_v2 resnet18 shufflenet_v2_x1_0 squeezenet1_0 vgg11_bn"
MEMORY_MB = 16000
UNCHANGED = {"spacing_mm": None, "patch_size_px": None, "features": None}
PAPER = {"epochs": 1000, "training": 3382 * 2 * 10, "validation": 846 * 2 * 10, "batch": 32, "size_px": 224}
"""The paper's patients, two phases each; 10 slices a stack are assumed, size and batch are this workflow's."""


class Files(Dataset):
    """Slices, each read from its stack's file when it is asked for."""

    def __init__(self, rows: pd.DataFrame, images: Path, transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.items = list(zip(rows["case"], rows["slice"], map(SLICE_CLASSES.index, rows["region"]), strict=True))
        self.images = images
        self.transform = transform

    def __len__(self) -> int:
        """Slices."""
        return len(self.items)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        """A z-scored slice ``(3, size, size)`` and its class."""
        case, index, target = self.items[number]
        stack = sitk.GetArrayFromImage(sitk.ReadImage(self.images / f"{case}_0000.nii.gz")).astype(np.float32)
        image = torch.from_numpy((stack[index] - stack.mean()) / max(stack.std(), 1e-8))
        return self.transform(image[None]).expand(3, -1, -1), target


class Contrast(torch.nn.Module):
    """Gamma, contrast and brightness as `augmentation.augment` draws them; v2 has no such transform of z-scores."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Change one image."""
        gamma, contrast, brightness = (
            torch.empty(()).uniform_(*limits)
            for limits in (
                augmentation.GAMMAS,
                augmentation.CONTRASTS,
                (-augmentation.BRIGHTNESS, augmentation.BRIGHTNESS),
            )
        )
        lowest, spread = image.min(), (image.max() - image.min()).clamp(min=1e-6)
        return (((image - lowest) / spread) ** gamma * spread + lowest) * contrast + brightness


class Noise(torch.nn.Module):
    """v2's Gaussian noise, of a random strength."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Change one image."""
        sigma = torch.empty(()).uniform_(0, augmentation.NOISE).item()
        return v2.functional.gaussian_noise(image, sigma=sigma, clip=False)


class Above(torch.nn.Module):
    """Move an image's minimum to zero, which is what v2 pads with."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Change one image."""
        return image - image.min()


def transforms(side_px: int, size_px: int) -> tuple[v2.Compose, v2.Compose]:
    """Of training and of validation: the field of view at its size, and for training the variation."""
    degrees = np.degrees(augmentation.ANGLES).tolist()
    view = [Above(), v2.CenterCrop(side_px), v2.Resize(size_px, antialias=True)]
    shift = (augmentation.SHIFT, augmentation.SHIFT)
    affine = v2.RandomAffine(degrees, shift, augmentation.SCALES, interpolation=v2.InterpolationMode.BILINEAR, fill=0)
    centred = v2.Lambda(lambda image: (image - image.mean()) / image.std().clamp(min=1e-6))
    return v2.Compose([*view, affine, centred, Contrast(), Noise()]), v2.Compose([*view, centred])


def train_plainly(
    network: str,
    datasets: tuple[Files, Files],
    settings: ours.ClassifierSettings,
    precision: Precision,
    seed: int,
    workers: int,
) -> list[dict]:
    """Train as the tutorials of torchvision do; ``validation_accuracy`` and ``seconds`` of every epoch."""
    device = best_device()
    torch.manual_seed(seed)
    model = networks.build(network, settings.image_size_px).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    scaler = torch.amp.GradScaler(device.type, enabled=lowered_dtype(device, precision) is torch.float16)
    common = {"batch_size": settings.batch_size, "num_workers": workers, "persistent_workers": workers > 0}
    common |= {"pin_memory": device.type == "cuda"}
    train = DataLoader(datasets[0], shuffle=True, drop_last=len(datasets[0]) % settings.batch_size == 1, **common)
    validation = DataLoader(datasets[1], **common)
    rows = []
    for _ in range(settings.epochs):
        started = time.perf_counter()
        model.train()
        for images, targets in train:
            with autocast(device, precision):
                logits = model(images.to(device, non_blocking=True))
            loss = functional.cross_entropy(logits.float(), targets.to(device, non_blocking=True))
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        model.eval()
        right = []
        with torch.inference_mode(), autocast(device, precision):
            for images, targets in validation:
                right.append(model(images.to(device)).argmax(dim=1) == targets.to(device))
        accuracy = torch.cat(right).double().mean().item()
        rows.append({"validation_accuracy": accuracy, "seconds": time.perf_counter() - started})
    return rows


def train_ours(network: str, parts: tuple[Slices, Slices], settings: ours.ClassifierSettings, seed: int) -> list[dict]:
    """Train as the rule does, from slices in memory; the history."""
    torch.manual_seed(seed)
    model = networks.build(network, settings.image_size_px)
    with tempfile.TemporaryDirectory() as folder, quiet():
        checkpoint = Checkpoint(Path(folder) / "checkpoint.pth", "")
        return ours.fit(model, *parts, settings, seed, checkpoint, settings.epochs, Interruption())[1]


class Share:
    """Seconds inside of the network: forward, backward and optimiser."""

    def __init__(self, synchronise: Callable[[], object]) -> None:
        self.synchronise, self.seconds, self.started = synchronise, 0.0, None

    def start(self, *_: object) -> None:
        """Start the clock."""
        self.synchronise()
        self.started = time.perf_counter()

    def stop(self, *_: object) -> None:
        """Stop the clock."""
        self.synchronise()
        self.seconds += time.perf_counter() - self.started


def profile(network: str, parts: tuple[Slices, Slices], settings: ours.ClassifierSettings) -> dict[str, float]:
    """Seconds per image in training and in validation, and the share of both that the network takes.

    One epoch warms up, one is measured, by the functions that `fit` calls.
    """
    device = best_device()
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    torch.manual_seed(0)
    share, spent = Share(synchronise), {}
    model = networks.build(network, settings.image_size_px)
    model.register_forward_pre_hook(share.start)
    # In validation the forward pass is all; in training the clock runs on to the optimiser's end.
    model.register_forward_hook(lambda *_: None if model.training else share.stop())
    after_step = register_optimizer_step_post_hook(share.stop)

    def measured(function: Callable, name: str) -> Callable:
        def call(*everything: object) -> object:
            synchronise()
            before = time.perf_counter()
            share.seconds = 0.0
            result = function(*everything)
            synchronise()
            spent[name], spent[f"{name} in the network"] = time.perf_counter() - before, share.seconds
            return result

        return call

    with (
        patch.object(ours, "train_epoch", measured(ours.train_epoch, "train")),
        patch.object(ours, "validate", measured(ours.validate, "validate")),
        tempfile.TemporaryDirectory() as folder,
        quiet(),
    ):
        checkpoint = Checkpoint(Path(folder) / "checkpoint.pth", "")
        epochs = ours.ClassifierSettings(**{**vars(settings), "epochs": 2})
        history = ours.fit(model, *parts, epochs, 0, checkpoint, 3, Interruption())[1]
    after_step.remove()
    return {
        "train_s_per_image": spent["train"] / len(parts[0].targets),
        "validate_s_per_image": spent["validate"] / len(parts[1].targets),
        "share_in_network": (spent["train in the network"] + spent["validate in the network"]) / history[-1]["seconds"],
    }


def of_the_papers_size(steps: int) -> tuple[Slices, Slices]:
    """Noise instead of slices, for `steps` mini-batches of training and two of validation."""
    shape = (PAPER["batch"], 1, PAPER["size_px"], PAPER["size_px"])
    return tuple(
        Slices(torch.randn(count, *shape).flatten(0, 1).half(), torch.arange(count * PAPER["batch"]) % 4)
        for count in (steps, 2)
    )


def main() -> None:
    """Measure and report."""
    options = arguments(
        __doc__.splitlines()[0],
        repeats=3,
        raw="",
        format="nifti",
        patients=16,
        networks=tuple(NETWORKS.split()),
        batch_size=16,
        image_size=64,
        field_of_view=160.0,
        epochs=4,
        learning_rate=0.0005,
        precision="auto",
        paper_steps=0,
        threads=len(os.sched_getaffinity(0)),
    )
    settings = ours.ClassifierSettings(
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        loss_weights="none",
        field_of_view_mm=options.field_of_view,
        image_size_px=options.image_size,
        precision=options.precision,
        deterministic=False,
    )
    torch.set_num_threads(options.threads)
    if options.repeats:
        _compare(options, settings)
    if options.paper_steps:
        _estimate(options.networks, settings, options.paper_steps, options.json)


def _compare(options: argparse.Namespace, settings: ours.ClassifierSettings) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data = Data(Path(scratch))
        patients = {"train": options.patients, "validation": max(options.patients // 4, 1)}
        with quiet():
            data.make(options.raw, options.format, patients, UNCHANGED, options.threads)
            parts = ours.read_fold(data.store, data.folds, data.cohort / "slices.csv", settings, MEMORY_MB)
        files = _files(data, settings)
        rows = []
        for network in options.networks:
            plain = partial(train_plainly, network, files, settings, workers=options.threads)
            trainings = {
                "plain, fp32": partial(plain, "fp32"),
                f"plain, {options.precision}": partial(plain, options.precision),
                "ours": partial(train_ours, network, parts, settings),
            }
            histories = {name: [] for name in trainings}
            for seed in range(options.repeats):
                for name, train in trainings.items():
                    histories[name].append(train(seed=seed))
            rows += _rows(network, histories, len(parts[0].targets) + len(parts[1].targets))
            rows[-1]["share_in_network"] = profile(network, parts, settings)["share_in_network"]
        report(
            f"Classifiers: {len(parts[0].targets)} training and {len(parts[1].targets)} validation slices of "
            f"{options.image_size} px, {options.epochs} epochs, {options.repeats} seeds, {best_device().type}",
            rows,
            options.json,
        )


def _files(data: Data, settings: ours.ClassifierSettings) -> tuple[Files, Files]:
    slices = pd.read_csv(data.cohort / "slices.csv").merge(pd.read_csv(data.cohort / "splits.csv"), on="case")
    images = data.cohort / "images"
    spacing_mm = sitk.ReadImage(next(images.glob("*.nii.gz"))).GetSpacing()[0]
    of_part = transforms(round(settings.field_of_view_mm / spacing_mm), settings.image_size_px)
    return tuple(
        Files(slices[slices["split"] == split], images, transform)
        for split, transform in zip(("train", "validation"), of_part, strict=True)
    )


def _rows(network: str, histories: dict[str, list[list[dict]]], images: int) -> list[dict]:
    # The first epoch starts workers and warms up.
    seconds = {
        name: statistics.median(row["seconds"] for history in of_seeds for row in history[1:] or history)
        for name, of_seeds in histories.items()
    }
    rows = []
    for name, of_seeds in histories.items():
        best = [max(row["validation_accuracy"] for row in history) for history in of_seeds]
        rows.append(
            {
                "network": network,
                "training": name,
                "epoch_s": seconds[name],
                "images_per_s": images / seconds[name],
                "ratio": seconds["plain, fp32"] / seconds[name],
                "best_accuracy": statistics.mean(best),
                "sd_over_seeds": statistics.stdev(best) if len(best) > 1 else None,
                "share_in_network": None,
            }
        )
    return rows


def _estimate(names: list[str], settings: ours.ClassifierSettings, steps: int, json_path: str | None) -> None:
    size = {"batch_size": PAPER["batch"], "image_size_px": PAPER["size_px"]}
    at_size = ours.ClassifierSettings(**{**vars(settings), **size})
    rows = []
    for name in names:
        measured = profile(name, of_the_papers_size(steps), at_size)
        epoch_s = (
            PAPER["training"] * measured["train_s_per_image"] + PAPER["validation"] * measured["validate_s_per_image"]
        )
        rows.append({"network": name, **measured, "epoch_s": epoch_s, "hours": PAPER["epochs"] * epoch_s / 3600})
    report(
        f"Estimate of {PAPER['epochs']} epochs of {PAPER['training']} training and {PAPER['validation']} validation "
        f"slices of {PAPER['size_px']} px, from {steps} steps of {PAPER['batch']}, {best_device().type}",
        rows,
        json_path and str(Path(json_path).with_suffix(".estimate.json")),
        hours_of_all=sum(row["hours"] for row in rows),
    )


if __name__ == "__main__":
    main()
