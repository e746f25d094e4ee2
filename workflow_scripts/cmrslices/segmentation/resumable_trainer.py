"""nnU-Net's trainer, able to stop after any mini-batch and to go on from there."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from nnunetv2.training.logging.nnunet_logger import LocalLogger
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from cmrslices.runtime.checkpoints import Checkpoint
from cmrslices.runtime.files import write_whole
from cmrslices.runtime.interruption import Interrupted, Interruption
from cmrslices.runtime.progress import report_epoch


class ResumableTrainer(nnUNetTrainer):
    """nnU-Net's trainer with checkpoints that are never half-written and can be made inside an epoch.

    At the end of an epoch nnU-Net averages what the steps of the epoch returned: losses, and pixel counts for the
    pseudo-Dice. A checkpoint of this class therefore holds, beside nnU-Net's own state, what the finished steps of the
    current epoch returned. A resumed training does the other steps of that epoch.

    The resumed training gives the same weights as an uninterrupted one if `get_dataloaders` of the subclass starts
    with the first batch that no finished step has used.
    """

    checkpoint: Checkpoint | None = None
    """Where the state is written; None under nnU-Net's own commands, which choose the file themselves."""

    interruption: Interruption | None = None
    """Knows whether the training was told to stop; None under nnU-Net's commands, which a signal ends at once."""

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.step_outputs = _no_outputs()
        self.logger.local_logger = LoggerWithFewPictures(self._is_checkpoint_due)
        self._epoch_seconds: list[float] = []

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one that this training wrote."""
        file = self.checkpoint.find() if self.checkpoint else None
        if file:
            # nnU-Net's reader would run code that a file holds. `find` has read this file with a reader that refuses
            # everything but tensors, numbers and text.
            self.load_checkpoint(str(file))
            finished = f"epoch {self.current_epoch}, iteration {len(self.step_outputs['training'])}"
            self.print_to_log_file(f"Going on after {finished} from {file.name}")

    def run_training(self) -> None:
        """nnU-Net's loop over epochs and steps (`nnUNetTrainer.run_training`) without the steps that are finished."""
        self.on_train_start()
        for _ in range(self.current_epoch, self.num_epochs):
            self.on_epoch_start()

            self.on_train_epoch_start()
            training = self.step_outputs["training"]
            self._finish_steps(training, self.num_iterations_per_epoch, self.train_step, self.dataloader_train)
            self.on_train_epoch_end(training)

            with torch.no_grad():
                self.on_validation_epoch_start()
                validation = self.step_outputs["validation"]
                self._finish_steps(
                    validation, self.num_val_iterations_per_epoch, self.validation_step, self.dataloader_val
                )
                self.on_validation_epoch_end(validation)

            self.on_epoch_end()
        self.on_train_end()

    def _finish_steps(
        self, outputs: list[dict], steps: int, step: Callable[[dict], dict], batches: Iterator[dict]
    ) -> None:
        """Do the steps of an epoch that `outputs` does not hold yet, and add what they return."""
        while len(outputs) < steps:
            batch = next(batches)
            if self.interruption and self.interruption.signal:
                self._stop(self.interruption)
            outputs.append(step(batch))

    def _stop(self, interruption: Interruption) -> None:
        assert self.checkpoint  # it is set where `interruption` is
        for values in self.logger.get_checkpoint().values():
            del values[self.current_epoch :]  # what this epoch logged; the resumed epoch logs it again
        self.current_epoch -= 1  # `save_checkpoint` adds 1, because nnU-Net saves only at the end of an epoch
        self.save_checkpoint(str(self.checkpoint.file))
        raise Interrupted(interruption.message(self.current_epoch + 1, len(self.step_outputs["training"])))

    def on_epoch_start(self) -> None:
        """Note the time on a clock that never jumps."""
        super().on_epoch_start()
        self._epoch_started = time.perf_counter()

    def on_epoch_end(self) -> None:
        """nnU-Net's log and checkpoints, then one line of progress."""
        self.step_outputs = _no_outputs()
        super().on_epoch_end()
        self._epoch_seconds.append(time.perf_counter() - self._epoch_started)
        losses = [self.logger.get_value(name, -1) for name in ("train_losses", "val_losses")]
        dice = " ".join(f"{value:.2f}" for value in self.logger.get_value("dice_per_class_or_region", -1))
        measures = f"training loss {losses[0]:.4f}, validation loss {losses[1]:.4f}, pseudo-Dice {dice}"
        report_epoch(self.current_epoch, self.num_epochs, measures, self._epoch_seconds)

    def save_checkpoint(self, filename: str) -> None:
        """Write nnU-Net's checkpoint, with what resuming needs among its `init_args`; the file is whole or absent."""
        self.my_init_kwargs["steps"] = self.step_outputs
        if self.checkpoint:
            self.my_init_kwargs["made_from"] = self.checkpoint.made_from
        if self.checkpoint and Path(filename).name == self.checkpoint.file.name:
            self.checkpoint.write(super().save_checkpoint)
        else:
            write_whole(filename, super().save_checkpoint)

    def load_checkpoint(self, filename_or_checkpoint: str) -> None:
        """Read nnU-Net's state and what the finished steps of the current epoch returned."""
        super().load_checkpoint(filename_or_checkpoint)
        self.step_outputs = self.my_init_kwargs.get("steps", _no_outputs())

    def _is_checkpoint_due(self, epochs: int) -> bool:
        return epochs % self.save_every == 0 or epochs == self.num_epochs


class LoggerWithFewPictures(LocalLogger):
    """nnU-Net's logger, which draws `progress.png` only after some epochs.

    nnU-Net draws it after every epoch. Where epochs are short, that takes longer than the training itself.

    Parameters
    ----------
    is_due : callable
        Whether to draw after this number of epochs.
    """

    def __init__(self, is_due: Callable[[int], bool]) -> None:
        super().__init__()
        self._is_due = is_due

    def plot_progress_png(self, output_folder: str) -> None:
        """Draw nnU-Net's picture if it is due."""
        if self._is_due(len(self.get_value("epoch_end_timestamps", step=None))):
            super().plot_progress_png(output_folder)


def _no_outputs() -> dict[str, list[dict]]:
    return {"training": [], "validation": []}
