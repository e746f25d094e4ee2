"""Fine-tuning of a slice-region classifier (paper, sections 2 and 3)."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import nn

from cmrslices.classification import networks
from cmrslices.classification.augmentation import augment
from cmrslices.classification.history import best_epoch
from cmrslices.classification.slices import Slices, on_gpu_if_it_has_room, read_stored_slices
from cmrslices.cohorts.tables import read_slices
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.checkpoints import Checkpoint, FinishedTraining, save_whole, training_digest
from cmrslices.runtime.device_record import recorded
from cmrslices.runtime.devices import (
    Precision,
    autocast,
    best_device,
    compute_deterministically,
    job_device,
    lowered_dtype,
    on_device,
    used,
)
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.interruption import Interrupted, Interruption, defer_signals
from cmrslices.runtime.progress import report_epoch


@dataclass(frozen=True)
class ClassifierSettings:
    """How classifiers are trained: the keys of the configuration that a classifier's training depends on."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss_weights: Literal["none", "balanced"]
    field_of_view_mm: float
    image_size_px: int
    precision: Precision
    deterministic: bool


@dataclass
class State:
    """A training under way: what a checkpoint holds, so that the training can go on from it.

    Attributes
    ----------
    model, optimizer, scaler
        The network, its optimiser and its gradient scaler.
    history : list of dict
        A row per finished epoch, see `fit`.
    best : dict
        The model's parameters after the best finished epoch; empty before the first one has ended.
    losses : list of Tensor
        The losses of the mini-batches that are done in the running epoch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    losses: list[torch.Tensor] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """The running epoch, from 1."""
        return len(self.history) + 1

    def end_epoch(self, row: dict[str, Any]) -> None:
        """Add the running epoch to the history, and keep the parameters if it is the best one so far."""
        self.history.append(row)
        self.losses = []
        if best_epoch(self.history) == row["epoch"]:
            self.best = {key: value.cpu().clone() for key, value in self.model.state_dict().items()}

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint."""
        checkpoint.save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "history": self.history,
                "best": self.best,
                "losses": self.losses,
            }
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from the checkpoint, if there is one."""
        saved = checkpoint.load()
        if saved is None:
            return
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if saved["scaler"]:  # empty where nothing was scaled: on a CPU, or in another type than float16
            self.scaler.load_state_dict(saved["scaler"])
        self.history, self.best = saved["history"], saved["best"]
        device = next(self.model.parameters()).device
        self.losses = [loss.to(device) for loss in saved["losses"]]
        print(f"resumed after epoch {len(self.history)}, iteration {len(self.losses)}", flush=True)


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

    An interrupted training goes on from ``checkpoint.pth`` beside the weights. On a CPU and with the same `threads`,
    the weights are the same to the bit however often the training was interrupted.

    Parameters
    ----------
    network : str
        torchvision's name of the network.
    store, plans, folds : path
        nnU-Net's preprocessed 2D folder, its plans file and its ``splits_final.json``, of which the first fold is used.
    slices : path
        The training cohort's ``slices.csv``.
    initial : path or None
        torchvision's weight file to start from; None starts from random weights.
    training : dict
        The fields of `ClassifierSettings`.
    seed : int
        Fixes initial weights, order of slices, augmentation and dropout.
    code : str
        Digest of the code that trains.
    threads : int
        CPU threads.
    memory_mb : float
        Memory of the job, see `read_stored_slices`.
    checkpoint_every : int
        Epochs between checkpoints.
    weights : path
        Written: ``network``, ``image_size_px``, ``field_of_view_mm``, the ``state_dict`` of the best epoch, the rows of
        the history, and ``made_from``, the digest of everything that the training depends on.
    history : path
        Written: one row per epoch.

    Raises
    ------
    InputError
        Unknown network, weights that do not fit, slices too small, an empty split, or a diverging loss.
    Interrupted
        SIGTERM or SIGINT came; the state is saved.
    """
    settings = ClassifierSettings(**training)
    course = {"network": network, "seed": seed, "training": asdict(settings), "code": code}
    inputs = [store, plans, folds, slices, *([initial] if initial else [])]
    made_from = training_digest(course, *inputs)
    finished = FinishedTraining(weights, made_from)
    trained = finished.find()
    if not trained:
        checkpoint = Checkpoint(Path(weights).with_name("checkpoint.pth"), made_from)
        torch.set_num_threads(threads)
        device = job_device(settings.precision)
        compute_deterministically(device, settings.deterministic)
        torch.manual_seed(seed)
        model = networks.build(network, settings.image_size_px, initial)
        train, validation = read_fold(store, folds, slices, settings, memory_mb)
        described = partial(used, device, settings.precision)
        with recorded(weights, made_from, described), defer_signals() as interruption:
            best, rows = fit(model, train, validation, settings, seed, checkpoint, checkpoint_every, interruption)
            trained = {
                "network": network,
                "image_size_px": settings.image_size_px,
                "field_of_view_mm": settings.field_of_view_mm,
                "state_dict": best,
                "history": rows,
                "made_from": made_from,
            }
            save_whole(trained, weights)
            finished.keep()
            checkpoint.remove()
    pd.DataFrame(trained["history"]).to_csv(history, index=False)


def read_fold(
    store: str | Path, folds: str | Path, slices: str | Path, settings: ClassifierSettings, memory_mb: float
) -> tuple[Slices, Slices]:
    """Read the training and the validation slices of the first fold.

    Raises
    ------
    InputError
        One of them is empty.
    """
    fold = json.loads(Path(folds).read_text())[0]
    regions = read_slices(slices)
    parts = []
    for name, key in (("train", "train"), ("validation", "val")):
        if not fold[key]:
            raise InputError(f"splits.{name}: no case of the training cohort is in this split; give it patients")
        part = read_stored_slices(
            store, fold[key], regions, settings.field_of_view_mm, settings.image_size_px, memory_mb
        )
        counts = torch.bincount(part.targets, minlength=len(SLICE_CLASSES)).tolist()
        listed = ", ".join(f"{count} {region}" for region, count in zip(SLICE_CLASSES, counts, strict=True))
        print(f"{name}: {len(fold[key])} cases, {listed} slices", flush=True)
        parts.append(part)
    return parts[0], parts[1]


def fit(
    model: nn.Module,
    train: Slices,
    validation: Slices,
    settings: ClassifierSettings,
    seed: int,
    checkpoint: Checkpoint,
    checkpoint_every: int,
    interruption: Interruption,
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Train with Adam, from the checkpoint if there is one.

    Returns
    -------
    best : dict
        The model's parameters after the best epoch, see `best_epoch`.
    history : list of dict
        A row per epoch: ``epoch`` (from 1), ``train_loss``, ``validation_loss``, ``validation_accuracy`` and
        ``seconds``.

    Raises
    ------
    Interrupted
        A signal came; the state after the last mini-batch is saved.
    """
    state = initial_state(model, settings)
    state.resume(checkpoint)
    device = best_device()
    cross_entropy = nn.CrossEntropyLoss(loss_weights(train.targets, settings.loss_weights)).to(device)
    train, validation = (on_gpu_if_it_has_room(part, device) for part in (train, validation))
    stop = partial(stop_if_interrupted, state, checkpoint, interruption)
    while state.epoch <= settings.epochs:
        run_epoch(state, train, validation, cross_entropy, settings, seed, stop)
        report_progress(state.history, settings.epochs)
        if len(state.history) % checkpoint_every == 0:
            state.save(checkpoint)
    return state.best, state.history


def initial_state(model: nn.Module, settings: ClassifierSettings) -> State:
    """Put the model on the device and make its optimiser and its gradient scaler."""
    device = best_device()
    model.to(device).to(memory_format=torch.channels_last)  # up to twice as fast on CPUs
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=lowered_dtype(device, settings.precision) is torch.float16)
    return State(model, optimizer, scaler)


def stop_if_interrupted(state: State, checkpoint: Checkpoint, interruption: Interruption) -> None:
    """Save the state and end the training if a signal came.

    Raises
    ------
    Interrupted
        A signal came.
    """
    if interruption.signal:
        state.save(checkpoint)
        raise Interrupted(interruption.message(len(state.history), len(state.losses)))


def run_epoch(
    state: State,
    train: Slices,
    validation: Slices,
    cross_entropy: nn.CrossEntropyLoss,
    settings: ClassifierSettings,
    seed: int,
    stop: Callable[[], None],
) -> None:
    """Train for one epoch, or for the rest of it after an interruption, then validate."""
    started = time.perf_counter()
    train_epoch(state, train, cross_entropy, settings, seed, stop)
    loss, accuracy = validate(state.model, validation, cross_entropy, settings, stop)
    state.end_epoch(
        {
            "epoch": state.epoch,
            "train_loss": mean_loss(state.losses, state.epoch, settings.learning_rate),
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "seconds": round(time.perf_counter() - started, 3),
        }
    )


def train_epoch(
    state: State,
    train: Slices,
    cross_entropy: nn.CrossEntropyLoss,
    settings: ClassifierSettings,
    seed: int,
    stop: Callable[[], None],
) -> None:
    """Train on all training slices once, in random order, beginning with the first mini-batch that has no loss yet.

    The seed and the epoch fix the order. Together with the number of a mini-batch they fix its augmentation and its
    dropout, so an interruption changes neither.

    Parameters
    ----------
    state : State
        Its ``losses`` are extended.
    train : Slices
    cross_entropy : nn.CrossEntropyLoss
    settings : ClassifierSettings
    seed : int
    stop : callable
        Called before each mini-batch.
    """
    device = best_device()
    generator = torch.Generator(device)
    state.model.train()
    order_seed = derived_seed(seed, state.epoch)
    order = torch.randperm(len(train.targets), generator=torch.Generator().manual_seed(order_seed))
    # Batches of nearly equal size: batch normalisation cannot train on a last batch of one.
    number_of_batches = math.ceil(len(order) / settings.batch_size)
    # Slices and classes are each taken by indices that are on their own device.
    indices = [order.to(part.device).tensor_split(number_of_batches) for part in train]
    for number, (of_images, of_targets) in list(enumerate(zip(*indices, strict=True)))[len(state.losses) :]:
        stop()
        torch.manual_seed(derived_seed(seed, state.epoch, number))
        generator.manual_seed(derived_seed(seed, state.epoch, number))
        images = augment(on_device(train.images[of_images], device).float(), generator)
        with autocast(device, settings.precision):
            logits = networks.classify_grey(state.model, images)
        loss = cross_entropy(logits.float(), train.targets[of_targets])
        state.optimizer.zero_grad(set_to_none=True)
        state.scaler.scale(loss).backward()
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.losses.append(loss.detach())


def mean_loss(losses: list[torch.Tensor], epoch: int, learning_rate: float) -> float:
    """Mean of an epoch's losses.

    Raises
    ------
    InputError
        It is not finite.
    """
    mean = torch.stack(losses).cpu().mean().item()
    if not math.isfinite(mean):
        raise InputError(
            f"classification.learning_rate: the loss is {mean} in epoch {epoch} at a rate of {learning_rate}; lower it"
        )
    return mean


@torch.inference_mode()
def validate(
    model: nn.Module,
    validation: Slices,
    cross_entropy: nn.CrossEntropyLoss,
    settings: ClassifierSettings,
    stop: Callable[[], None],
) -> tuple[float, float]:
    """Return loss and accuracy on the validation slices; the accuracy is also the weighted-average recall.

    Parameters
    ----------
    model : nn.Module
    validation : Slices
    cross_entropy : nn.CrossEntropyLoss
    settings : ClassifierSettings
    stop : callable
        Called before each mini-batch.
    """
    device = best_device()
    model.eval()
    logits = []
    for images in validation.images.split(settings.batch_size):
        stop()
        with autocast(device, settings.precision):
            logits.append(networks.classify_grey(model, on_device(images, device).float()).float())
    together, targets = torch.cat(logits), validation.targets
    return cross_entropy(together, targets).item(), (together.argmax(dim=1) == targets).double().mean().item()


def loss_weights(targets: torch.Tensor, kind: Literal["none", "balanced"]) -> torch.Tensor:
    """Return the weight of each class in the loss.

    Parameters
    ----------
    targets : Tensor (n,)
        The class of each training slice.
    kind : {'none', 'balanced'}
        ``none``: every class has the weight 1. ``balanced``: the weight is inverse to the frequency of the class, and
        the mean weight of the slices is 1.

    Returns
    -------
    Tensor (4,)
    """
    counts = torch.bincount(targets, minlength=len(SLICE_CLASSES))
    if kind == "none":
        return torch.ones(len(counts))
    return len(targets) / (counts.clamp(min=1) * torch.count_nonzero(counts))


def report_progress(history: list[dict[str, Any]], epochs: int) -> None:
    """Print the last epoch and the time that the remaining ones will take."""
    row = history[-1]
    measures = (
        f"training loss {row['train_loss']:.4f}, validation loss {row['validation_loss']:.4f}, "
        f"accuracy {row['validation_accuracy']:.4f}"
    )
    report_epoch(row["epoch"], epochs, measures, [row["seconds"] for row in history])


def derived_seed(*numbers: int) -> int:
    """Mix numbers such as (seed, epoch, mini-batch) to one seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
