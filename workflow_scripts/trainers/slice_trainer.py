"""nnU-Net's trainer under a slice-sampling policy, with atomic, resumable, seeded training."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

# nnU-Net's commands import this file by its path alone.
sys.path.append(str(Path(__file__).parents[1]))


class SliceTrainer(nnUNetTrainer):
    """nnU-Net's trainer; the model's configuration in the plans says how slices are drawn.

    The configuration inherits from `2d` and adds `sampling` (the policy), `training` (epochs,
    iterations, learning rate, checkpoint interval, precision) and `seed`.
    """

    slice_weights = None
    """Case to weights by slice index, or None for nnU-Net's own sampling."""

    loader_workers = 0
    """Processes that draw batches; 0 draws them in the training's own."""

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
        self.save_every = training["checkpoint_every"]
        # nnU-Net draws this picture after every epoch; in short epochs that costs more than training.
        self._plot_progress = self.logger.plot_progress_png
        self.logger.plot_progress_png = self._plot_progress_at_checkpoints

    def initialize(self) -> None:
        """Build network, optimiser and loss from the seed; on a CPU, in reduced precision where it has it."""
        from cmrslices.segmentation.loading import seed_everything

        seed_everything(self.seed)
        super().initialize()
        if self.device.type == "cpu":
            self.network.forward = _reduced(self.network.forward, self.device, self.precision)

    def get_tr_and_val_datasets(self) -> tuple:
        """Training and validation cases that have a slice to draw."""
        datasets = super().get_tr_and_val_datasets()
        if self.slice_weights is None:
            return datasets
        from cmrslices.sampling import WeightedDataset

        weighted = tuple(WeightedDataset(dataset, self.slice_weights) for dataset in datasets)
        for name, before, after in zip(("training", "validation"), datasets, weighted, strict=True):
            left_out = len(before.identifiers) - len(after.identifiers)
            self.print_to_log_file(f"{len(after.identifiers)} {name} cases, {left_out} left out without such a slice")
        return weighted

    def get_dataloaders(self) -> tuple[Iterator[dict], Iterator[dict]]:
        """nnU-Net's loaders and augmentation; batches are seeded by their number."""
        from cmrslices.sampling import SliceSamplingDataLoader
        from cmrslices.segmentation.loading import batches

        # Without processes of its own, nnU-Net hands out its bare loaders.
        os.environ["nnUNet_n_proc_DA"] = "0"
        loaders = [augmenter.data_loader for augmenter in super().get_dataloaders()]
        if self.slice_weights is not None:
            for loader in loaders:
                # nnU-Net names its loader class inside the method above.
                loader.__class__ = SliceSamplingDataLoader
        lengths = (self.num_iterations_per_epoch, self.num_val_iterations_per_epoch)
        return tuple(
            batches(
                loader,
                self.seed,
                stream,
                range(self.current_epoch * length, self.num_epochs * length),
                self.loader_workers,
                self.device.type == "cuda",
            )
            for stream, (loader, length) in enumerate(zip(loaders, lengths, strict=True))
        )

    def _plot_progress_at_checkpoints(self, folder: str) -> None:
        done = self.current_epoch + 1
        if done % self.save_every == 0 or done == self.num_epochs:
            self._plot_progress(folder)

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint that is whole or absent."""
        temporary = f"{filename}.tmp"
        super().save_checkpoint(temporary)
        Path(temporary).replace(filename)


def _reduced(forward: Callable, device: torch.device, precision: str) -> Callable:
    """Autocast a network's forward pass; its outputs stay float32 for the loss."""
    from cmrslices.devices import autocast

    def forward_in_precision(batch: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        with autocast(device, precision):
            output = forward(batch)
        return [level.float() for level in output] if isinstance(output, list | tuple) else output.float()

    return forward_in_precision
