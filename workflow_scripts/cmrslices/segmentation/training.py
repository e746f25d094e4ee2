"""Training of one segmenter: nnU-Net's run, from the plans, the policy and the store."""

import json
from pathlib import Path

import torch

from cmrslices.cohorts.tables import read_slices
from cmrslices.runtime.checkpoints import Checkpoint, FinishedTraining, training_digest
from cmrslices.runtime.devices import best_device, compute_deterministically
from cmrslices.runtime.interruption import defer_signals
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.sampling import slice_weights
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer


def train_segmenter(
    *,
    model: str,
    policy: dict,
    training: dict,
    seed: int,
    code: str,
    store: str,
    plans: str,
    folds: str,
    dataset: str,
    slices: str,
    weights: str,
    threads: int,
    checkpoint_every: int,
) -> None:
    """Train one model, or go on from its last checkpoint if that was made from the same things.

    On a CPU, the weights are the same to the bit however often the training was interrupted, with the same `threads`.

    Parameters
    ----------
    model : str
        Name of the model and of its configuration in the plans.
    policy, training : dict
        The model's row of `models`, and what the configuration's `segmentation.training` gives.
    seed : int
        Seeds initial weights and every batch.
    code : str
        Digest of the code that trains.
    store, plans, folds, dataset, slices : path
        nnU-Net's preprocessed data, `nnUNetPlans.json` with the `2d` configuration, `splits_final.json`,
        `dataset.json`, `slices.csv`.
    weights : path
        `.../SliceTrainer__nnUNetPlans__{model}/fold_0/checkpoint_final.pth`.
    threads : int
        Cores to use.
    checkpoint_every : int
        Epochs between checkpoints.

    Raises
    ------
    Interrupted
        SIGTERM or SIGINT came; the state is saved.
    """
    made_from = training_digest(
        {"policy": policy, "training": training, "seed": seed, "code": code}, store, plans, folds, dataset, slices
    )
    result = FinishedTraining(weights, made_from)
    if result.find():
        return
    set_nnunet_folders(Path(plans).parent)
    device = best_device()
    compute_deterministically(device, training["deterministic"])
    torch.set_num_threads(1 if device.type == "cuda" else threads)
    own_plans = model_plans(json.loads(Path(plans).read_text()), model, policy, training, seed)
    trainer = SliceTrainer(
        {**own_plans, "continue_training": False}, model, 0, json.loads(Path(dataset).read_text()), device
    )
    trainer.slice_weights = slice_weights(policy, read_slices(slices))
    trainer.loader_workers = threads - 1 if device.type == "cuda" else min(threads - 1, 1)
    trainer.save_every = checkpoint_every
    trainer.checkpoint = Checkpoint(Path(weights).with_name("checkpoint_latest.pth"), made_from)
    with defer_signals() as trainer.interruption:
        trainer.resume()
        trainer.run_training()
        result.keep()
        trainer.checkpoint.remove()


def model_plans(plans: dict, model: str, policy: dict, training: dict, seed: int) -> dict:
    """nnU-Net plans with a model's configuration: the `2d` one, and beside it what makes the model.

    Parameters
    ----------
    plans : dict
        nnU-Net's plans with the `2d` configuration.
    model, policy, training, seed
        See `train_segmenter`.
    """
    configuration = {
        "inherits_from": "2d",
        "batch_size": training["batch_size"],
        "sampling": policy,
        "training": training,
        "seed": seed,
    }
    return {**plans, "configurations": {"2d": plans["configurations"]["2d"], model: configuration}}
