"""Fine-tuning of a slice-region classifier (paper, sections 2 and 3)."""

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from cmrslices.classification import networks
from cmrslices.classification.augmentation import augment
from cmrslices.classification.checkpoints import Checkpoint, fingerprint, save_whole
from cmrslices.classification.images import Slices, read_slices
from cmrslices.devices import Precision, autocast, best_device, lowered_dtype
from cmrslices.errors import InputError
from cmrslices.labels import SLICE_CLASSES


@dataclass(frozen=True)
class Training:
    """How classifiers are trained: the keys of the configuration's block ``classification``."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss_weights: Literal["none", "balanced"]
    field_of_view_mm: float
    image_size_px: int
    checkpoint_every: int
    precision: Precision


def train_classifier(
    *,
    network: str,
    store: str | Path,
    plans: str | Path,
    folds: str | Path,
    slices: str | Path,
    initial: str | Path | None,
    training: dict[str, Any],
    seed: int,
    threads: int,
    weights: str | Path,
    history: str | Path,
) -> None:
    """Train one network and keep its best epoch.

    An interrupted training goes on from ``checkpoint.pth`` beside the weights, as if there had been no interruption.

    Parameters
    ----------
    network : str
        torchvision's name of it.
    store, plans, folds : path
        nnU-Net's preprocessed 2D folder, its plans file and its ``splits_final.json``, of which the first fold is used.
    slices : path
        The training cohort's ``slices.csv``.
    initial : path or None
        torchvision's weight file to start from; None starts from random weights.
    training : dict
        The fields of `Training`.
    seed : int
        Fixes initial weights, order of slices, augmentation and dropout.
    threads : int
        CPU threads.
    weights : path
        Written: ``network``, ``image_size_px``, ``field_of_view_mm`` and the ``state_dict`` of the best epoch.
    history : path
        Written: one row per epoch.

    Raises
    ------
    InputError
        Unknown network, weights that do not fit, slices too small, an empty split, or a diverging loss.
    """
    torch.set_num_threads(threads)
    settings = Training(**training)
    torch.manual_seed(seed)
    model = networks.build(network, settings.image_size_px, initial)
    train, validation = read_fold(store, folds, slices, settings)
    course = {"network": network, "seed": seed, "training": asdict(settings)}
    inputs = [plans, folds, slices, *([initial] if initial else [])]
    checkpoint = Checkpoint(Path(weights).with_name("checkpoint.pth"), fingerprint(course, *inputs))
    state, epochs = fit(model, train, validation, settings, seed, checkpoint)
    save_whole(
        {
            "network": network,
            "image_size_px": settings.image_size_px,
            "field_of_view_mm": settings.field_of_view_mm,
            "state_dict": state,
        },
        weights,
    )
    epochs.to_csv(history, index=False)
    checkpoint.remove()


def read_fold(store: str | Path, folds: str | Path, slices: str | Path, settings: Training) -> tuple[Slices, Slices]:
    """Read the training and the validation slices of the first fold into memory.

    Raises
    ------
    InputError
        One of them is empty.
    """
    fold = json.loads(Path(folds).read_text())[0]
    regions = pd.read_csv(slices, dtype={"case": str})
    parts = []
    for name, key in (("train", "train"), ("validation", "val")):
        if not fold[key]:
            raise InputError(f"splits.{name}: no case of the training cohort is in this split; give it patients")
        part = read_slices(store, fold[key], regions, settings.field_of_view_mm, settings.image_size_px)
        counts = torch.bincount(part.targets, minlength=len(SLICE_CLASSES)).tolist()
        listed = ", ".join(f"{count} {region}" for region, count in zip(SLICE_CLASSES, counts, strict=True))
        print(f"{name}: {len(fold[key])} cases, {listed} slices", flush=True)
        parts.append(part)
    return parts[0], parts[1]


def fit(
    model: torch.nn.Module, train: Slices, validation: Slices, settings: Training, seed: int, checkpoint: Checkpoint
) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    """Train with Adam, from the checkpoint if there is one.

    Returns
    -------
    state : dict
        The model's parameters after the best epoch: highest validation accuracy, among equals lowest loss.
    history : DataFrame
        ``epoch`` (from 1), ``train_loss``, ``validation_loss``, ``validation_accuracy`` and ``seconds``.
    """
    device = best_device()
    model.to(device, memory_format=torch.channels_last)  # up to twice as fast on CPUs
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=lowered_dtype(device, settings.precision) is torch.float16)
    class_weights = loss_weights(train.targets, settings.loss_weights).to(device)
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler}
    rows, best = [], None
    if saved := checkpoint.load():
        rows, best = saved["rows"], saved["best"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        print(f"resumed after epoch {len(rows)}", flush=True)
    for epoch in range(len(rows) + 1, settings.epochs + 1):
        started = time.perf_counter()
        train_loss = train_epoch(model, optimizer, scaler, class_weights, train, settings, (seed, epoch))
        loss, accuracy = validate(model, class_weights, validation, settings)
        rows.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "validation_loss": loss,
                "validation_accuracy": accuracy,
                "seconds": round(time.perf_counter() - started, 3),
            }
        )
        report_progress(rows, settings.epochs)
        if best_epoch(rows) == epoch:
            best = {key: value.cpu().clone() for key, value in model.state_dict().items()}
        if epoch % settings.checkpoint_every == 0:
            states = {name: part.state_dict() for name, part in parts.items()}
            checkpoint.save({"rows": rows, "best": best, **states})
    return best, pd.DataFrame(rows)


def train_epoch(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    class_weights: torch.Tensor,
    train: Slices,
    settings: Training,
    seeds: tuple[int, int],
) -> float:
    """Pass once over all training slices, in random order; return the mean loss of the batches."""
    device = class_weights.device
    torch.manual_seed(derived_seed(*seeds))
    generator = torch.Generator(device)
    model.train()
    losses = []
    order = torch.randperm(len(train.targets))
    # Batches of nearly equal size: batch normalisation cannot train on a last batch of one.
    for number, batch in enumerate(order.tensor_split(math.ceil(len(order) / settings.batch_size))):
        generator.manual_seed(derived_seed(*seeds, number))
        images = augment(train.images[batch].to(device).float(), generator)
        with autocast(device, settings.precision):
            logits = networks.classify_grey(model, images)
        loss = functional.cross_entropy(logits.float(), train.targets[batch].to(device), class_weights)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach())
    mean = torch.stack(losses).mean().item()
    if not math.isfinite(mean):
        raise InputError(
            f"classification.learning_rate: the loss is {mean} in epoch {seeds[1]} at a rate of "
            f"{settings.learning_rate}; lower it"
        )
    return mean


@torch.inference_mode()
def validate(
    model: torch.nn.Module, class_weights: torch.Tensor, validation: Slices, settings: Training
) -> tuple[float, float]:
    """Loss and accuracy on the validation slices; accuracy is the weighted-average recall."""
    device = class_weights.device
    model.eval()
    logits = []
    for images in validation.images.split(settings.batch_size):
        with autocast(device, settings.precision):
            logits.append(networks.classify_grey(model, images.to(device).float()).float())
    logits = torch.cat(logits)
    targets = validation.targets.to(device)
    loss = functional.cross_entropy(logits, targets, class_weights).item()
    return loss, (logits.argmax(dim=1) == targets).double().mean().item()


def loss_weights(targets: torch.Tensor, kind: Literal["none", "balanced"]) -> torch.Tensor:
    """Weight of each class in the loss: 1, or inverse to its frequency with a mean of 1 over the slices."""
    counts = torch.bincount(targets, minlength=len(SLICE_CLASSES))
    if kind == "none":
        return torch.ones(len(counts))
    return len(targets) / (counts.clamp(min=1) * torch.count_nonzero(counts))


def best_epoch(rows: list[dict[str, float]]) -> int:
    """Return the epoch of highest validation accuracy, among equals of lowest validation loss."""
    return max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))["epoch"]


def report_progress(rows: list[dict[str, float]], epochs: int) -> None:
    """Print the last epoch and the time that the remaining ones will take."""
    row = rows[-1]
    minutes_left = np.mean([row["seconds"] for row in rows]) * (epochs - row["epoch"]) / 60
    print(
        f"epoch {row['epoch']}/{epochs}: training loss {row['train_loss']:.4f}, "
        f"validation loss {row['validation_loss']:.4f}, accuracy {row['validation_accuracy']:.4f}, "
        f"{row['seconds']:.1f} s, {minutes_left:.1f} min left",
        flush=True,
    )


def derived_seed(*numbers: int) -> int:
    """Mix numbers such as (seed, epoch, batch) to one seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
