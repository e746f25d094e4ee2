"""nnU-Net's trainer for the models of this workflow, which differ in how often each slice is drawn."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset

# nnU-Net's commands import this file by its path, so Python does not know yet where the library is.
sys.path.append(str(Path(__file__).parents[3]))

from cmrslices.cohorts.tables import read_slices
from cmrslices.runtime.checkpoints import read_weights
from cmrslices.runtime.devices import Precision, autocast
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.channels_last import channels_last
from cmrslices.segmentation.joint_training import JointLoss, JointOptimizer
from cmrslices.segmentation.loading import batches, seed_everything, without_timing
from cmrslices.segmentation.resumable_trainer import ResumableTrainer
from cmrslices.segmentation.sampling import (
    RegionDataLoader,
    RegionDataset,
    SliceSamplingDataLoader,
    WeightedDataset,
    slice_regions,
    slice_weights,
)

Cases: TypeAlias = nnUNetBaseDataset | WeightedDataset | RegionDataset
LOADERS: dict[type, type[nnUNetDataLoader]] = {
    WeightedDataset: SliceSamplingDataLoader,
    RegionDataset: RegionDataLoader,
}
"""Loaders of the data sets that are not nnU-Net's own."""
SETTINGS = ("sampling", "slices", "training", "seed")
"""Keys of a model's configuration beside nnU-Net's own, see `SliceTrainer`."""


class SliceTrainer(ResumableTrainer):
    """nnU-Net's trainer; the model's configuration in the plans says how slices are drawn.

    The configuration inherits from `2d` or `3d_fullres`. `cmrslices.segmentation.training.model_plans` adds these keys:

    - ``sampling``: the policy, see `cmrslices.segmentation.sampling`;
    - ``slices``: the file `slices.csv` of the training cohort, as a path relative to nnU-Net's folder of the
      preprocessed data set; the uniform policy does not read it;
    - ``training``: epochs, steps per epoch, learning rate and precision; and ``joint``, if the architecture of the
      configuration is a `JointUNet`: weight and label smoothing of its head's loss, and the head's learning rate;
    - ``seed``: with the number of a batch, it determines the content of the batch.

    Raises
    ------
    InputError
        The configuration lacks one of these keys. Or, when the data are loaded, `slices.csv` is missing or lacks a
        case.
    """

    loader_workers = 0
    """Processes that draw batches; with 0, the training's own process draws them."""

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        settings = self.configuration_manager.configuration
        missing = [key for key in SETTINGS if key not in settings]
        if missing:
            raise InputError(
                f"{plans['plans_name']}: the configuration {configuration!r} has no {', '.join(missing)}, so "
                "SliceTrainer cannot train it; use the plans.json of a model that this workflow trained"
            )
        training = settings["training"]
        self.policy = settings["sampling"]
        self.seed = settings["seed"]
        self.precision: Precision = training["precision"]
        self.num_epochs = training["epochs"]
        self.num_iterations_per_epoch = training["iterations_per_epoch"]
        self.num_val_iterations_per_epoch = training["validation_iterations"]
        self.initial_lr = training["learning_rate"]
        self.joint: dict[str, float] | None = training.get("joint")

    def initialize(self) -> None:
        """Build network, optimiser and loss from the seed, in the wanted precision.

        nnU-Net itself computes in float16 on a GPU and in float32 on a CPU.
        """
        seed_everything(self.seed)
        super().initialize()
        if self.device.type == "cpu":
            channels_last(self.network)
        if self.device.type == "cpu" or self.precision != "auto":
            self.network.forward = _in_precision(self.network.forward, self.device, self.precision)

    def _do_i_compile(self) -> bool:
        """nnU-Net's choice, with two exceptions.

        The decoders of a joint network get other numbers of slices in each batch, so it is not compiled. Neither is a
        network on a node without a C compiler, where nnU-Net would fail.
        """
        wanted = not self.joint and super()._do_i_compile()
        if wanted and not any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))):
            self.print_to_log_file(
                "WARNING: no C compiler (CC, gcc, clang) on this node, so the network is not compiled"
            )
            return False
        return wanted

    def start_from(self, weights: str | Path) -> None:
        """Give the network the weights of another model; optimiser, learning rate and epochs start anew.

        Parameters
        ----------
        weights : path
            checkpoint_final.pth of the other model.

        Raises
        ------
        InputError
            The file cannot be read, or the other model's network has other layers.
        """
        self.initialize()
        checkpoint = read_weights(weights)
        other = checkpoint["init_args"]["configuration"]
        network: Any = getattr(self.network, "_orig_mod", self.network)  # torch.compile wraps the network
        try:
            network.load_state_dict(checkpoint["network_weights"])
        except RuntimeError:
            raise InputError(
                f"model {self.configuration_name!r} cannot start from model {other!r}: their networks have other "
                f"layers; delete {weights} and run again, so that both are trained by the same plan"
            ) from None
        self.print_to_log_file(f"Starting from the weights of model {other!r}")

    def configure_optimizers(self) -> tuple[Any, Any]:
        """nnU-Net's SGD and its schedule; the head of a joint network has an optimiser of its own."""
        optimizer, schedule = super().configure_optimizers()
        if self.joint:
            optimizer = JointOptimizer(optimizer, self.network.head, self.joint["learning_rate"])
        return optimizer, schedule

    def _build_loss(self) -> torch.nn.Module:
        loss = super()._build_loss()
        return JointLoss(loss, self.joint["loss_weight"], self.joint["label_smoothing"]) if self.joint else loss

    def train_step(self, batch: dict) -> dict:
        """nnU-Net's step."""
        return super().train_step(self._with_regions(batch))

    def validation_step(self, batch: dict) -> dict:
        """nnU-Net's step; a joint network is validated as it is trained, each slice by its region's decoder."""
        return super().validation_step(self._with_regions(batch))

    def _with_regions(self, batch: dict) -> dict:
        """The batch; a joint network is told the regions, and its loss finds them as one more level of the target."""
        if not self.joint:
            return batch
        self.network.regions = batch["region"]
        return {**batch, "target": [*batch["target"], batch["region"]]}

    def get_tr_and_val_datasets(self) -> tuple[Cases, Cases]:
        """nnU-Net's data sets; under other policies than the uniform one, without cases that have no slice to draw.

        Those of a joint network know the region of each slice.
        """
        datasets = super().get_tr_and_val_datasets()
        if self.policy["sampling"] == "uniform" and not self.joint:
            return datasets
        slices = self._slices({case for part in datasets for case in part.identifiers})
        if self.joint:
            regions = slice_regions(slices)
            return RegionDataset(datasets[0], regions), RegionDataset(datasets[1], regions)
        weights = slice_weights(self.policy, slices)
        assert weights is not None  # the policy is not uniform
        training, validation = (WeightedDataset(part, weights) for part in datasets)
        for name, before, after in zip(("training", "validation"), datasets, (training, validation), strict=True):
            left_out = len(before.identifiers) - len(after.identifiers)
            self.print_to_log_file(f"{len(after.identifiers)} {name} cases, {left_out} left out without such a slice")
        return training, validation

    def _slices(self, cases: set[str]) -> pd.DataFrame:
        """Regions and positions of all slices of these cases."""
        file = Path(self.preprocessed_dataset_folder_base, self.configuration_manager.configuration["slices"]).resolve()
        if not file.is_file():
            raise InputError(
                f"{file}: missing; the {'region head' if self.joint else 'sampling policy'} of "
                f"{self.configuration_name!r} needs the regions and positions of the training cohort's slices: make "
                "the file with the rule assign_regions, or correct 'slices' in the plans"
            )
        slices = read_slices(file)
        absent = sorted(cases - set(slices["case"]))
        if absent:
            raise InputError(
                f"{file}: has no slices of {absent[0]} ({len(absent)} such cases in the data set); correct 'slices' in "
                "the plans so that it names the table of the training cohort"
            )
        return slices

    def get_dataloaders(self) -> tuple[Iterator[dict], Iterator[dict]]:
        """Batches for training and validation, from the first one that no finished step has used.

        Loaders and augmentation are those of `nnUNetTrainer.get_dataloaders` in nnU-Net 2.8.1. Only the class of the
        loaders depends on the policy, and torch's processes draw the batches instead of nnU-Net's.
        """
        configuration = self.configuration_manager
        rotation, dummy_2d, initial_patch_size, mirrored_axes = (
            self.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        )
        scales = self._get_deep_supervision_scales()
        labels = {
            "is_cascaded": self.is_cascaded,
            "foreground_labels": self.label_manager.foreground_labels,
            "regions": self.label_manager.foreground_regions if self.label_manager.has_regions else None,
            "ignore_label": self.label_manager.ignore_label,
        }
        augmentation = self.get_training_transforms(
            configuration.patch_size,
            rotation,
            scales,
            mirrored_axes,
            dummy_2d,
            use_mask_for_norm=configuration.use_mask_for_norm,
            **labels,
        )
        training, validation = self.get_tr_and_val_datasets()
        return (
            self._batches(
                self._loader(training, initial_patch_size, without_timing(augmentation)),
                stream=0,
                batches_per_epoch=self.num_iterations_per_epoch,
                finished=len(self.step_outputs["training"]),
            ),
            self._batches(
                self._loader(validation, configuration.patch_size, self.get_validation_transforms(scales, **labels)),
                stream=1,
                batches_per_epoch=self.num_val_iterations_per_epoch,
                finished=len(self.step_outputs["validation"]),
            ),
        )

    def _loader(
        self, dataset: Cases, patch_size: list[int] | np.ndarray, transforms: BasicTransform
    ) -> nnUNetDataLoader:
        return LOADERS.get(type(dataset), nnUNetDataLoader)(
            dataset,
            self.batch_size,
            patch_size,
            self.configuration_manager.patch_size,
            self.label_manager,
            oversample_foreground_percent=self.oversample_foreground_percent,
            sampling_probabilities=None,
            pad_sides=None,
            transforms=transforms,
            probabilistic_oversampling=self.probabilistic_oversampling,
        )

    def _batches(self, loader: nnUNetDataLoader, stream: int, batches_per_epoch: int, finished: int) -> Iterator[dict]:
        numbers = range(self.current_epoch * batches_per_epoch + finished, self.num_epochs * batches_per_epoch)
        return batches(loader, self.seed, stream, numbers, self.loader_workers, pin=self.device.type == "cuda")


def _in_precision(forward: Callable, device: torch.device, precision: Precision) -> Callable:
    """Let a network's forward pass compute in some precision; its outputs are float32, for the loss."""

    def forward_in_precision(batch: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        with autocast(device, precision):
            output = forward(batch)
        return [level.float() for level in output] if isinstance(output, list | tuple) else output.float()

    return forward_in_precision
