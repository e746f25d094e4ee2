"""A tiny cohort with nnU-Net's plans and store, and trainings on it."""

import nibabel
import numpy as np
import pandas as pd
import torch
from nnunetv2.training.logging.nnunet_logger import LocalLogger

from cmrslices.prediction.cohort import predict_cohort
from cmrslices.segmentation.planning import plan_segmentation, plan_variant
from cmrslices.segmentation.preprocessing import preprocess_cohort, preprocess_segmentation
from cmrslices.segmentation.training import train_segmenter

DATASET = "Dataset001_tiny"
CASES = [f"tiny_p{patient}_{phase}" for patient in range(4) for phase in ("ED", "ES")]
SPLITS = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
REGIONS = ["non-cardiac", "base", "middle", "middle", "apex"]
TRAINING = {
    "epochs": 2,
    "iterations_per_epoch": 2,
    "validation_iterations": 1,
    "batch_size": 4,
    "learning_rate": 0.01,
    "precision": "fp32",
    "deterministic": False,
}
JOINT = {"loss_weight": 0.5, "label_smoothing": 0.05, "learning_rate": 0.0003}
PLAN = {"spacing_mm": None, "patch_size_px": [32, 32], "features": [4, 8, 8]}

LocalLogger.plot_progress_png = lambda *_: None  # it takes longer than so small a training


def write_case(folder, case, rng):
    label = np.zeros((40, 36, 5), np.uint8)
    label[10:30, 10:30, 1:] = 2
    label[14:26, 14:26, 1:] = 1
    label[30:36, 12:28, 1:4] = 3
    image = label * 100 + rng.integers(0, 50, label.shape)
    affine = np.diag([1.5, 1.5, 8, 1])
    nibabel.save(nibabel.Nifti1Image(image.astype(np.int16), affine), folder / f"images/{case}_0000.nii.gz")
    nibabel.save(nibabel.Nifti1Image(label, affine), folder / f"labels/{case}.nii.gz")


class Project:
    """A cohort with nnU-Net's plans and store, and paths of what is trained from it."""

    def __init__(self, root):
        self.root = root
        self.cohort = root / "cohorts/tiny"
        self.preprocessed = root / f"nnunet/preprocessed/{DATASET}"
        self.raw = root / f"nnunet/raw/{DATASET}/dataset.json"
        self.plans = self.preprocessed / "nnUNetPlans.json"
        self.folds = self.preprocessed / "splits_final.json"
        self.slices = self.cohort / "slices.csv"
        self.preprocessed_cohort = self.cohort / "preprocessed"
        self.preprocessed_cohort_3d = self.cohort / "preprocessed_3d"

    def make(self):
        rng = np.random.default_rng(0)
        for name in ("images", "labels"):
            (self.cohort / name).mkdir(parents=True)
        for case in CASES:
            write_case(self.cohort, case, rng)
        pd.DataFrame({"case": CASES, "split": SPLITS}).to_csv(self.cohort / "splits.csv", index=False)
        slices = [
            {"case": case, "slice": index, "region": region, "position": (index - 1) / 3 if index else None}
            for case in CASES
            for index, region in enumerate(REGIONS)
        ]
        pd.DataFrame(slices).to_csv(self.slices, index=False)
        plan_segmentation(
            self.cohort / "images",
            self.cohort / "labels",
            self.cohort / "splits.csv",
            PLAN,
            self.raw,
            self.plans,
            self.folds,
            threads=1,
        )
        preprocess_segmentation(self.plans, self.raw, self.preprocessed / "store", threads=1)
        images, splits = self.cohort / "images", self.cohort / "splits.csv"
        preprocess_cohort(self.plans, self.raw, images, splits, threads=1, store=self.preprocessed_cohort)
        return self

    def plan(self, planner, configuration):
        """Plan a variant, if it is not yet planned."""
        plans = self.preprocessed / f"nnUNetPlans_{planner}_{configuration}.json"
        if not plans.exists():
            plan_variant(self.raw, PLAN, planner, configuration, plans)
        return plans

    def make_3d(self):
        """Add the plan and stores of 3D models."""
        plans, images, splits = self.plan("default", "3d_fullres"), self.cohort / "images", self.cohort / "splits.csv"
        preprocess_segmentation(plans, self.raw, self.preprocessed / "store_3d", threads=1)
        preprocess_cohort(plans, self.raw, images, splits, threads=1, store=self.preprocessed_cohort_3d)
        return self

    def weights(self, model):
        return self.root / f"nnunet/results/{DATASET}/SliceTrainer__nnUNetPlans__{model}/fold_0/checkpoint_final.pth"

    def arguments(self, model, policy, seed=1, code="code", threads=1, checkpoint_every=1, starts_from=None, **changes):
        """What `train_segmenter` is called with, as JSON holds it."""
        return {
            "model": model,
            "policy": policy,
            "training": {**TRAINING, **changes},
            "seed": seed,
            "code": code,
            "store": str(self.preprocessed / "store"),
            "plans": str(self.plans),
            "folds": str(self.folds),
            "dataset": str(self.raw),
            "slices": str(self.slices),
            "weights": str(self.weights(model)),
            "threads": threads,
            "checkpoint_every": checkpoint_every,
            "starts_from": str(starts_from) if starts_from else None,
        }

    def train_variant(self, model, planner, configuration, **changes):
        """Train a uniformly sampled model by another plan, and return the path of its weights."""
        store = self.preprocessed / ("store_3d" if configuration == "3d_fullres" else "store")
        plans = {"plans": str(self.plan(planner, configuration)), "store": str(store)}
        train_segmenter(**{**self.arguments(model, {"sampling": "uniform"}, **changes), **plans})
        return self.weights(model)

    def predict(self, folder, approach, weights, regions=None):
        """Label maps of the test cases by an approach, by file name."""
        predict_cohort(
            approach=approach,
            weights=weights,
            regions=regions,
            store=self.preprocessed_cohort,
            store_3d=self.preprocessed_cohort_3d,
            splits=self.cohort / "splits.csv",
            mirroring=True,
            precision="fp32",
            threads=1,
            labels=folder / "labels",
            routes=folder / "routes.csv",
        )
        return {path.name: nibabel.load(path) for path in sorted((folder / "labels").iterdir())}

    def train(self, model, policy, **changes):
        train_segmenter(**self.arguments(model, policy, **changes))
        return network_of(self.weights(model))


def network_of(checkpoint):
    return torch.load(checkpoint, weights_only=False)["network_weights"]


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)
