"""Untrained models of a tiny size in nnU-Net's layout, and images for them."""

import json

import numpy as np
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from tiny_plans import DATASET, PLANS_OF


def build_network(model):
    configuration = configuration_of(model)
    return get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        len(DATASET["labels"]),
        deep_supervision=False,
    )


def configuration_of(model):
    return PlansManager(PLANS_OF[model]).get_configuration(model)


def mirrored_axes(model):
    return tuple(range(len(configuration_of(model).patch_size)))


def write_model(folder, model, seed):
    """A model folder as training leaves it, untrained."""
    torch.manual_seed(seed)
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(PLANS_OF[model]))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    checkpoint = {
        "network_weights": build_network(model).state_dict(),
        "init_args": {"configuration": model},
        "trainer_name": "SliceTrainer",
        "inference_allowed_mirroring_axes": mirrored_axes(model),
    }
    torch.save(checkpoint, folder / "fold_0/checkpoint_final.pth")


def waves(shape, rng):
    """A positive image of smooth patterns."""
    where = np.indices(shape).reshape(3, -1)
    return sum(2 + np.sin(rng.uniform(0, 0.4, 3) @ where) for _ in range(5)).reshape(shape)
