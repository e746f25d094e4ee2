"""Training of one segmenter: nnU-Net's run, from the plans, the policy and the store."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import torch

from cmrslices.devices import best_device
from cmrslices.sampling import slice_weights
from cmrslices.segmentation.nnunet import set_nnunet_folders
from trainers.slice_trainer import SliceTrainer


def train_segmenter(
    model: str,
    policy: dict,
    training: dict,
    seed: int,
    plans: str,
    folds: str,
    dataset: str,
    slices: str,
    weights: str,
    threads: int,
) -> None:
    """Train one model, or go on from its last checkpoint if that was made from the same things.

    Parameters
    ----------
    model : str
        Name of the model and of its configuration in the plans.
    policy, training : dict
        The model's row of `models`, and the configuration's `segmentation` keys.
    seed : int
        Seeds initial weights and every batch.
    plans, folds, dataset, slices : path
        `nnUNetPlans.json` with the `2d` configuration, `splits_final.json`, `dataset.json`, `slices.csv`.
    weights : path
        `.../SliceTrainer__nnUNetPlans__{model}/fold_0/checkpoint_final.pth`.
    threads : int
        Cores to use.
    """
    set_nnunet_folders(Path(plans).parent)
    device = best_device()
    torch.set_num_threads(1 if device.type == "cuda" else threads)
    made_from = {Path(path).name: _digest(path) for path in (folds, slices, dataset)}
    own_plans = model_plans(json.loads(Path(plans).read_text()), model, policy, training, seed, made_from)
    trainer = SliceTrainer(
        {**own_plans, "continue_training": False}, model, 0, json.loads(Path(dataset).read_text()), device
    )
    trainer.slice_weights = slice_weights(policy, pd.read_csv(slices))
    trainer.loader_workers = threads - 1 if device.type == "cuda" else min(threads - 1, 1)
    _resume(trainer, Path(weights), own_plans)
    trainer.run_training()


def model_plans(plans: dict, model: str, policy: dict, training: dict, seed: int, made_from: dict) -> dict:
    """nnU-Net plans with a model's configuration: the `2d` one, and beside it what makes the model.

    Parameters
    ----------
    plans : dict
        nnU-Net's plans with the `2d` configuration.
    model, policy, training, seed
        See `train_segmenter`.
    made_from : dict of str to str
        Digests of the files that the training reads besides the store.
    """
    configuration = {
        "inherits_from": "2d",
        "batch_size": training["batch_size"],
        "sampling": policy,
        "training": training,
        "seed": seed,
        "made_from": made_from,
    }
    return {**plans, "configurations": {"2d": plans["configurations"]["2d"], model: configuration}}


def _resume(trainer: SliceTrainer, weights: Path, plans: dict) -> None:
    checkpoint = weights.with_name("checkpoint_latest.pth")
    if not checkpoint.exists():
        return
    # nnU-Net's checkpoints hold more than tensors; this one lies in the project's own results.
    made_by = torch.load(checkpoint, map_location="cpu", weights_only=False)["init_args"]["plans"]
    if made_by == plans:
        trainer.load_checkpoint(str(checkpoint))
        trainer.print_to_log_file(f"Going on from epoch {trainer.current_epoch} of {checkpoint}")
    else:
        stale = checkpoint.with_suffix(".stale")
        checkpoint.replace(stale)
        trainer.print_to_log_file(f"{checkpoint.name} was made from other settings or data; set aside as {stale.name}")


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
