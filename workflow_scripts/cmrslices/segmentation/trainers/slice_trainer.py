"""nnU-Net's trainer under a slice-sampling policy, with atomic, resumable, seeded training."""

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

# nnU-Net's commands import this file by its path alone.
sys.path.append(str(Path(__file__).parents[3]))


@dataclass(frozen=True)
class Done:
    """Stands for a batch of the interrupted epoch: what its step gave."""

    output: dict


class SliceTrainer(nnUNetTrainer):
    """nnU-Net's trainer; the model's configuration in the plans says how slices are drawn.

    The configuration inherits from `2d` and adds `sampling` (the policy), `training` (epochs,
    iterations, learning rate, precision) and `seed`.

    Batches depend on their number alone. So a checkpoint in the middle of an epoch needs, beside nnU-Net's state
    at its last step, what the steps of this epoch gave: resumed, nnU-Net's loop runs the epoch from its start, and
    the steps that were done hand out what they gave.
    """

    slice_weights = None
    """Case to weights by slice index, or None for nnU-Net's own sampling."""

    loader_workers = 0
    """Processes that draw batches; 0 draws them in the training's own."""

    checkpoint = None
    """Where the state goes; None under nnU-Net's own commands."""

    interruption = None
    """Knows whether the training was told to stop."""

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        settings = self.configuration_manager.configuration
        training = settings["training"]
        self.seed = settings["seed"]
        self.precision = training["precision"]
        self.num_epochs = training["epochs"]
        self.num_iterations_per_epoch = training["iterations_per_epoch"]
        self.num_val_iterations_per_epoch = training["validation_iterations"]
        self.initial_lr = training["learning_rate"]
        self.steps = {"training": [], "validation": []}
        self._epoch_seconds = []
        # nnU-Net draws this picture after every epoch; in short epochs that costs more than training.
        self._plot_progress = self.logger.plot_progress_png
        self.logger.plot_progress_png = self._plot_progress_at_checkpoints

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one of this training."""
        file = self.checkpoint.find()
        if file:
            # Read without unpickling code by the search above: what nnU-Net unpickles now are tensors and numbers.
            self.load_checkpoint(str(file))
            self.steps = self.my_init_kwargs["steps"]
            done = f"epoch {self.current_epoch}, iteration {len(self.steps['training'])}"
            self.print_to_log_file(f"Going on after {done} from {file.name}")

    def initialize(self) -> None:
        """Build network, optimiser and loss from the seed, in the precision asked for; nnU-Net knows fp16 on a GPU."""
        from cmrslices.segmentation.channels_last import channels_last
        from cmrslices.segmentation.loading import seed_everything

        seed_everything(self.seed)
        super().initialize()
        if self.device.type == "cpu":
            channels_last(self.network)
        if self.device.type == "cpu" or self.precision != "auto":
            self.network.forward = _in_precision(self.network.forward, self.device, self.precision)

    def get_tr_and_val_datasets(self) -> tuple:
        """Training and validation cases that have a slice to draw."""
        datasets = super().get_tr_and_val_datasets()
        if self.slice_weights is None:
            return datasets
        from cmrslices.segmentation.sampling import WeightedDataset

        weighted = tuple(WeightedDataset(dataset, self.slice_weights) for dataset in datasets)
        for name, before, after in zip(("training", "validation"), datasets, weighted, strict=True):
            left_out = len(before.identifiers) - len(after.identifiers)
            self.print_to_log_file(f"{len(after.identifiers)} {name} cases, {left_out} left out without such a slice")
        return weighted

    def get_dataloaders(self) -> tuple[Iterator[dict], Iterator[dict]]:
        """nnU-Net's loaders and augmentation; batches are seeded by their number."""
        from cmrslices.segmentation.loading import batches
        from cmrslices.segmentation.sampling import SliceSamplingDataLoader

        with _bare_loaders():
            loaders = [augmenter.data_loader for augmenter in super().get_dataloaders()]
        if self.slice_weights is not None:
            for loader in loaders:
                # nnU-Net names its loader class inside the method above.
                loader.__class__ = SliceSamplingDataLoader
        lengths = (self.num_iterations_per_epoch, self.num_val_iterations_per_epoch)
        return tuple(
            itertools.chain(
                map(Done, tuple(done)),
                batches(
                    loader,
                    self.seed,
                    stream,
                    range(self.current_epoch * length + len(done), self.num_epochs * length),
                    self.loader_workers,
                    self.device.type == "cuda",
                ),
            )
            for stream, (loader, length, done) in enumerate(zip(loaders, lengths, self.steps.values(), strict=True))
        )

    @staticmethod
    def get_training_transforms(*arguments, **settings) -> object:
        """nnU-Net's augmentation, of which no result depends on how long something takes."""
        from cmrslices.segmentation.loading import without_timing

        return without_timing(nnUNetTrainer.get_training_transforms(*arguments, **settings))

    def train_step(self, batch: dict | Done) -> dict:
        """nnU-Net's step, unless it was done before an interruption."""
        return self._step(super().train_step, batch, "training")

    def validation_step(self, batch: dict | Done) -> dict:
        """nnU-Net's step, unless it was done before an interruption."""
        return self._step(super().validation_step, batch, "validation")

    def _step(self, step: Callable[[dict], dict], batch: dict | Done, part: str) -> dict:
        if isinstance(batch, Done):
            return batch.output
        if self.interruption and self.interruption.signal:
            self._stop()
        self.steps[part].append(step(batch))
        return self.steps[part][-1]

    def _stop(self) -> None:
        from cmrslices.runtime.interruption import Interrupted

        for values in self.logger.get_checkpoint().values():
            del values[self.current_epoch :]
        self.current_epoch -= 1  # nnU-Net takes an epoch for done when it saves
        self.save_checkpoint(str(self.checkpoint.file))
        raise Interrupted(self.interruption.message(self.current_epoch + 1, len(self.steps["training"])))

    def on_epoch_start(self) -> None:
        """Start the epoch's clock, one that never jumps."""
        super().on_epoch_start()
        self._epoch_started = time.perf_counter()

    def on_epoch_end(self) -> None:
        """nnU-Net's log and checkpoints, then one line of progress."""
        from cmrslices.runtime.progress import report_epoch

        self.steps = {"training": [], "validation": []}
        super().on_epoch_end()
        self._epoch_seconds.append(time.perf_counter() - self._epoch_started)
        losses = [self.logger.get_value(name, -1) for name in ("train_losses", "val_losses")]
        dice = " ".join(f"{value:.2f}" for value in self.logger.get_value("dice_per_class_or_region", -1))
        measures = f"training loss {losses[0]:.4f}, validation loss {losses[1]:.4f}, pseudo-Dice {dice}"
        report_epoch(self.current_epoch, self.num_epochs, measures, self._epoch_seconds)

    def _plot_progress_at_checkpoints(self, folder: str) -> None:
        done = self.current_epoch + 1
        if done % self.save_every == 0 or done == self.num_epochs:
            self._plot_progress(folder)

    def save_checkpoint(self, filename: str) -> None:
        """Write nnU-Net's checkpoint, whole or not at all, with what resuming needs among its `init_args`."""
        from cmrslices.runtime.files import write_whole

        if self.checkpoint:
            self.my_init_kwargs |= {"made_from": self.checkpoint.made_from, "steps": self.steps}
        if self.checkpoint and Path(filename).name == self.checkpoint.file.name:
            self.checkpoint.write(super().save_checkpoint)
        else:
            write_whole(filename, super().save_checkpoint)


@contextlib.contextmanager
def _bare_loaders() -> Iterator[None]:
    """Let nnU-Net hand out loaders without processes around them."""
    name = "nnUNet_n_proc_DA"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _in_precision(forward: Callable, device: torch.device, precision: str) -> Callable:
    """Autocast a network's forward pass; its outputs stay float32 for the loss."""
    from cmrslices.runtime.devices import autocast

    def forward_in_precision(batch: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        with autocast(device, precision):
            output = forward(batch)
        return [level.float() for level in output] if isinstance(output, list | tuple) else output.float()

    return forward_in_precision
