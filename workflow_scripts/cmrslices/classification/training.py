"""Fine-tuning of a slice-region classifier (paper, sections 2 and 3)."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from cmrslices.classification import networks
from cmrslices.classification.augmentation import augment
from cmrslices.classification.slices import Slices, read_slices
from cmrslices.cohorts import tables
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.checkpoints import Checkpoint, FinishedTraining, save_whole, training_digest
from cmrslices.runtime.devices import Precision, autocast, best_device, compute_deterministically, lowered_dtype
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.interruption import Interrupted, Interruption, defer_signals
from cmrslices.runtime.progress import report_epoch


@dataclass(frozen=True)
class Training:
    """How classifiers are trained: what the configuration's ``classification.training`` gives."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss_weights: Literal["none", "balanced"]
    field_of_view_mm: float
    image_size_px: int
    precision: Precision
    deterministic: bool


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
    code: str,
    threads: int,
    memory_mb: float,
    checkpoint_every: int,
    weights: str | Path,
    history: str | Path,
) -> None:
    """Train one network and keep its best epoch.

    An interrupted training goes on from ``checkpoint.pth`` beside the weights. On a CPU, the weights are the same to
    the bit however often it was interrupted, with the same `threads`.

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
    code : str
        Digest of the code that trains.
    threads : int
        CPU threads.
    memory_mb : float
        Memory of the job, see `read_slices`.
    checkpoint_every : int
        Epochs between checkpoints.
    weights : path
        Written: ``network``, ``image_size_px``, ``field_of_view_mm`` and the ``state_dict`` of the best epoch, beside
        the history's rows and the fingerprint.
    history : path
        Written: one row per epoch.

    Raises
    ------
    InputError
        Unknown network, weights that do not fit, slices too small, an empty split, or a diverging loss.
    Interrupted
        SIGTERM or SIGINT came; the state is saved.
    """
    settings = Training(**training)
    course = {"network": network, "seed": seed, "training": asdict(settings), "code": code}
    inputs = [store, plans, folds, slices, *([initial] if initial else [])]
    made_from = training_digest(course, *inputs)
    result = FinishedTraining(weights, made_from)
    trained = result.find()
    if not trained:
        checkpoint = Checkpoint(Path(weights).with_name("checkpoint.pth"), made_from)
        torch.set_num_threads(threads)
        compute_deterministically(best_device(), settings.deterministic)
        torch.manual_seed(seed)
        model = networks.build(network, settings.image_size_px, initial)
        train, validation = read_fold(store, folds, slices, settings, memory_mb)
        with defer_signals() as interruption:
            state, rows = fit(model, train, validation, settings, seed, checkpoint, checkpoint_every, interruption)
            trained = {
                "network": network,
                "image_size_px": settings.image_size_px,
                "field_of_view_mm": settings.field_of_view_mm,
                "state_dict": state,
                "history": rows,
                "made_from": made_from,
            }
            save_whole(trained, weights)
            result.keep()
            checkpoint.remove()
    pd.DataFrame(trained["history"]).to_csv(history, index=False)


def read_fold(
    store: str | Path, folds: str | Path, slices: str | Path, settings: Training, memory_mb: float
) -> tuple[Slices, Slices]:
    """Read the training and the validation slices of the first fold.

    Raises
    ------
    InputError
        One of them is empty.
    """
    fold = json.loads(Path(folds).read_text())[0]
    regions = tables.read_slices(slices)
    parts = []
    for name, key in (("train", "train"), ("validation", "val")):
        if not fold[key]:
            raise InputError(f"splits.{name}: no case of the training cohort is in this split; give it patients")
        part = read_slices(store, fold[key], regions, settings.field_of_view_mm, settings.image_size_px, memory_mb)
        counts = torch.bincount(part.targets, minlength=len(SLICE_CLASSES)).tolist()
        listed = ", ".join(f"{count} {region}" for region, count in zip(SLICE_CLASSES, counts, strict=True))
        print(f"{name}: {len(fold[key])} cases, {listed} slices", flush=True)
        parts.append(part)
    return parts[0], parts[1]


def fit(
    model: torch.nn.Module,
    train: Slices,
    validation: Slices,
    settings: Training,
    seed: int,
    checkpoint: Checkpoint,
    checkpoint_every: int,
    interruption: Interruption,
) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """Train with Adam, from the checkpoint if there is one.

    Returns
    -------
    state : dict
        The model's parameters after the best epoch: highest validation accuracy, among equals lowest loss.
    history : list of dict
        Per epoch: ``epoch`` (from 1), ``train_loss``, ``validation_loss``, ``validation_accuracy`` and ``seconds``.

    Raises
    ------
    Interrupted
        A signal was noted; the state after the last mini-batch is saved.
    """
    device = best_device()
    model.to(device, memory_format=torch.channels_last)  # up to twice as fast on CPUs
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=lowered_dtype(device, settings.precision) is torch.float16)
    class_weights = loss_weights(train.targets, settings.loss_weights).to(device)
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler}
    rows, best, losses = [], None, []
    if saved := checkpoint.load():
        rows, best, losses = saved["rows"], saved["best"], saved["losses"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        print(f"resumed after epoch {len(rows)}, iteration {len(losses)}", flush=True)

    def save() -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        checkpoint.save({"rows": rows, "best": best, "losses": losses, **states})

    def stop_if_interrupted() -> None:
        if interruption.signal:
            save()
            raise Interrupted(interruption.message(len(rows), len(losses)))

    for epoch in range(len(rows) + 1, settings.epochs + 1):
        started = time.perf_counter()
        train_epoch(
            model, optimizer, scaler, class_weights, train, settings, (seed, epoch), losses, stop_if_interrupted
        )
        loss, accuracy = validate(model, class_weights, validation, settings, stop_if_interrupted)
        rows.append(
            {
                "epoch": epoch,
                "train_loss": mean_loss(losses, epoch, settings.learning_rate),
                "validation_loss": loss,
                "validation_accuracy": accuracy,
                "seconds": round(time.perf_counter() - started, 3),
            }
        )
        losses.clear()
        report_progress(rows, settings.epochs)
        if best_epoch(rows) == epoch:
            best = {key: value.cpu().clone() for key, value in model.state_dict().items()}
        if epoch % checkpoint_every == 0:
            save()
    return best, rows


def train_epoch(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    class_weights: torch.Tensor,
    train: Slices,
    settings: Training,
    seeds: tuple[int, int],
    losses: list[torch.Tensor],
    stop_if_interrupted: Callable[[], None],
) -> None:
    """Pass once over all training slices, in random order, from the first mini-batch that has no loss yet.

    Parameters
    ----------
    seeds : tuple of int
        Seed and epoch: they fix the order, and with a mini-batch's number its augmentation and dropout.
    losses : list of Tensor
        Of this epoch's mini-batches; extended.
    stop_if_interrupted : callable
        Called before each mini-batch.
    """
    device = class_weights.device
    generator = torch.Generator(device)
    model.train()
    order = torch.randperm(len(train.targets), generator=torch.Generator().manual_seed(derived_seed(*seeds)))
    # Batches of nearly equal size: batch normalisation cannot train on a last batch of one.
    mini_batches = order.tensor_split(math.ceil(len(order) / settings.batch_size))
    for number, batch in list(enumerate(mini_batches))[len(losses) :]:
        stop_if_interrupted()
        torch.manual_seed(derived_seed(*seeds, number))
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


def mean_loss(losses: list[torch.Tensor], epoch: int, learning_rate: float) -> float:
    """Mean of an epoch's losses.

    Raises
    ------
    InputError
        It is not finite.
    """
    mean = torch.stack([loss.cpu() for loss in losses]).mean().item()
    if not math.isfinite(mean):
        raise InputError(
            f"classification.learning_rate: the loss is {mean} in epoch {epoch} at a rate of {learning_rate}; lower it"
        )
    return mean


@torch.inference_mode()
def validate(
    model: torch.nn.Module,
    class_weights: torch.Tensor,
    validation: Slices,
    settings: Training,
    stop_if_interrupted: Callable[[], None],
) -> tuple[float, float]:
    """Loss and accuracy on the validation slices; accuracy is the weighted-average recall."""
    device = class_weights.device
    model.eval()
    logits = []
    for images in validation.images.split(settings.batch_size):
        stop_if_interrupted()
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
    measures = (
        f"training loss {row['train_loss']:.4f}, validation loss {row['validation_loss']:.4f}, "
        f"accuracy {row['validation_accuracy']:.4f}"
    )
    report_epoch(row["epoch"], epochs, measures, [row["seconds"] for row in rows])


def derived_seed(*numbers: int) -> int:
    """Mix numbers such as (seed, epoch, batch) to one seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
