"""Training of one segmenter: nnU-Net's trainer on the store, under the model's sampling policy."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cmrslices.runtime.checkpoints import Checkpoint, FinishedTraining, training_digest
from cmrslices.runtime.device_record import recorded
from cmrslices.runtime.devices import compute_deterministically, job_device, used
from cmrslices.runtime.interruption import defer_signals
from cmrslices.segmentation.joint_network import joint_architecture
from cmrslices.segmentation.nnunet import set_nnunet_folders
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
    starts_from: str | None = None,
) -> None:
    """Train one model, or go on from its last checkpoint if that was made from the same settings, data and code.

    On a CPU and with the same `threads`, a training that was interrupted gives the same weights to the bit as one that
    was not.

    Parameters
    ----------
    model : str
        Name of the model and of its configuration in the plans.
    policy, training : dict
        How the model draws slices, and what the configuration's `training_of` gives for it.
    seed : int
        Determines the initial weights and every batch.
    code : str
        Digest of the code that trains; a checkpoint of other code is not used.
    store, plans, folds, dataset, slices : path
        nnU-Net's preprocessed data, plans with the one configuration that the model has, `splits_final.json`,
        `dataset.json`, `slices.csv`.
    weights : path
        `.../SliceTrainer__nnUNetPlans__{model}/fold_0/checkpoint_final.pth`.
    threads : int
        Cores to use.
    checkpoint_every : int
        Epochs between checkpoints.
    starts_from : path, optional
        checkpoint_final.pth of another model, whose weights the network starts from; None: random weights. The digest
        of this file is part of what a checkpoint was made from, so that no training goes on from a checkpoint that
        began with other weights.

    Raises
    ------
    Interrupted
        SIGTERM or SIGINT came; the state is saved.
    InputError
        The network of `starts_from` is another one.
    """
    settings = {"policy": policy, "training": training, "seed": seed, "code": code}
    files = [store, plans, folds, dataset, slices, *([starts_from] if starts_from else [])]
    made_from = training_digest(settings, *files)
    result = FinishedTraining(weights, made_from)
    if result.find():
        return
    set_nnunet_folders(Path(plans).parent)
    device = job_device(training["precision"])
    compute_deterministically(device, training["deterministic"])
    torch.set_num_threads(1 if device.type == "cuda" else threads)
    trainer = SliceTrainer(
        {**model_plans(plans, slices, model, policy, training, seed), "continue_training": False},
        model,
        0,
        json.loads(Path(dataset).read_text()),
        device,
    )
    trainer.loader_workers = threads - 1 if device.type == "cuda" else min(threads - 1, 1)
    trainer.save_every = checkpoint_every
    trainer.checkpoint = Checkpoint(Path(weights).with_name("checkpoint_latest.pth"), made_from)
    if starts_from:
        trainer.start_from(starts_from)
    described = partial(used, device, training["precision"])
    with recorded(weights, made_from, described), defer_signals() as trainer.interruption:
        trainer.resume()
        trainer.run_training()
        result.keep()
        trainer.checkpoint.remove()


def model_plans(
    plans: str | Path, slices: str | Path, model: str, policy: dict, training: dict, seed: int
) -> dict[str, Any]:
    """nnU-Net's plans with the configuration of a model, which `SliceTrainer` reads.

    Parameters
    ----------
    plans : path
        Plans with one configuration, in nnU-Net's folder of the preprocessed data set.
    slices, model, policy, training, seed
        See `train_segmenter`. The path of `slices` is stored relative to that folder, so that the results folder can
        be moved.

    Returns
    -------
    dict
        Content of the model's `plans.json`: the planned configuration and that of the model, which inherits from it.
        Where `training` has no batch size, that which nnU-Net planned is inherited, too.
    """
    planned = json.loads(Path(plans).read_text())
    ((base, of_base),) = planned["configurations"].items()
    configuration = {
        "inherits_from": base,
        **({"batch_size": training["batch_size"]} if "batch_size" in training else {}),
        "sampling": policy,
        "slices": os.path.relpath(Path(slices).resolve(), Path(plans).parent.resolve()),
        "training": training,
        "seed": seed,
    }
    if "joint" in training:
        configuration["architecture"] = joint_architecture(of_base["architecture"])
    return {**planned, "configurations": {base: of_base, model: configuration}}
