"""A tiny store of slices, and what a classifier's training on it is called with."""

import json

import numpy as np
import pandas as pd
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from cmrslices.labels import SLICE_CLASSES

SETTINGS = {
    "epochs": 4,
    "batch_size": 5,
    "learning_rate": 0.001,
    "loss_weights": "none",
    "field_of_view_mm": 64.0,
    "image_size_px": 32,
    "precision": "fp32",
    "deterministic": False,
}
CASES = [f"patient{number}_ED" for number in range(8)]
SIZES = {"chunks": (1, 1, 32, 32), "blocks": (1, 1, 32, 32)}


def disc(radius):
    return (np.hypot(*np.meshgrid(np.arange(32) - 15.5, np.arange(32) - 15.5)) < radius).astype(np.float32)


def make_inputs(folder):
    """A store of eight cases, each with one slice per class: a disc whose radius tells the class."""
    cases = folder / "store/2d"
    cases.mkdir(parents=True)
    stack = np.stack([disc(radius) * 3 for radius in (0, 13, 9, 4)])[None]
    properties = {
        "spacing": [10, 2, 2],
        "shape_before_cropping": (4, 32, 32),
        "bbox_used_for_cropping": [[0, 4], [0, 32], [0, 32]],
    }
    for number, case in enumerate(CASES):
        noise = np.random.default_rng(number).normal(scale=0.1, size=stack.shape)
        image = (stack + noise).astype(np.float32)
        nnUNetDatasetBlosc2.save_case(image, np.zeros_like(image), properties, str(cases / case), **SIZES)
    rows = [(case, index, region) for case in CASES for index, region in enumerate(SLICE_CLASSES)]
    pd.DataFrame(rows, columns=["case", "slice", "region"]).to_csv(folder / "slices.csv", index=False)
    (folder / "folds.json").write_text(json.dumps([{"train": CASES[:5], "val": CASES[5:]}]))
    (folder / "plans.json").write_text("{}")


def arguments(
    inputs,
    name,
    seed=1,
    code="code",
    network="mobilenet_v3_small",
    threads=1,
    memory_mb=1000,
    checkpoint_every=2,
    **changes,
):
    """What `train_classifier` is called with, as JSON holds it; it writes to the folder `name`."""
    return {
        "network": network,
        "store": str(inputs / "store"),
        "plans": str(inputs / "plans.json"),
        "folds": str(inputs / "folds.json"),
        "slices": str(inputs / "slices.csv"),
        "initial": None,
        "training": SETTINGS | changes,
        "seed": seed,
        "code": code,
        "threads": threads,
        "memory_mb": memory_mb,
        "checkpoint_every": checkpoint_every,
        "weights": str(inputs / name / "weights.pth"),
        "history": str(inputs / name / "history.csv"),
    }
