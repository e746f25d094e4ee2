"""A results folder as a finished run leaves it, with untrained networks of a tiny size."""

import json

import numpy as np
import pandas as pd
import torch
import yaml
from places import ROOT
from snakemake.utils import update_config
from tiny_models import write_model
from tiny_plans import DATASET, IN_3D, PLANS, PLANS_OF, plans_of

from cmrslices.classification import networks
from cmrslices.config import load_settings
from cmrslices.labels import LABELS, SLICE_CLASSES
from cmrslices.runtime.provenance import versions

NETWORKS = {"mobilenet_v3_small": "MobileNet", "shufflenet_v2_x0_5": "ShuffleNet"}
IMAGE_SIZE_PX, FIELD_OF_VIEW_MM = 32, 48.0
BY_REGION = {"base": "base", "middle": "baseline", "apex": "apex", "non-cardiac": "baseline"}
MIXED = {"base": "context", "middle": "baseline", "apex": "strong", "non-cardiac": "joint"}
CLASSIFIER = {"title": "Classifier", "router": "classifier", "models": BY_REGION}
EXTENT = {"title": "Extent", "router": "extent", "extent_of": "baseline", "models": BY_REGION}
APPROACHES = {
    "baseline": {"title": "Baseline", "router": "constant", "model": "baseline"},
    "context": {"title": "3D", "router": "constant", "model": "context"},
    "joint": {"title": "Joint network", "router": "constant", "model": "joint"},
    "classification": CLASSIFIER,
    "stack": {**CLASSIFIER, "reading": "stack", "networks": "all"},
    "soft": {**CLASSIFIER, "mixing": "soft"},
    "mixed": {**CLASSIFIER, "models": MIXED},
    "in_3d": {**CLASSIFIER, "models": dict.fromkeys(BY_REGION, "context")},
    "head": {"title": "Head", "router": "classifier", "head_of": "joint", "reading": "stack", "models": BY_REGION},
    "decoders": {"title": "D", "router": "classifier", "head_of": "joint", "mixing": "soft", "decoders_of": "joint"},
    "extent": EXTENT,
    "extent_3d": {**EXTENT, "extent_of": "context"},
    "weighed": {**EXTENT, "probabilities": True, "networks": "all", "mixing": "soft"},
    "upper_bound": {"title": "Upper bound", "router": "reference", "models": BY_REGION},
    "given": {"title": "Given", "predictions": "given"},
    "theirs": {"title": "Theirs", "bundle": "bundle"},
}
PATIENTS = {"Hidden Name 1": "train", "Hidden Name 2": "validation", "Hidden Name 3": "test"}
SPLITS = [
    (f"clinic_{patient}_{phase}", patient, split) for patient, split in PATIENTS.items() for phase in ("ED", "ES")
]


def configuration():
    """The configuration of the run, as `provenance.yaml` holds it."""
    mine = {
        "cohorts": {
            "clinic": {"title": "Clinic", "format": "nifti", "folder": "raw"},
            "new": {"title": "New", "format": "nifti", "folder": "new", "labels": "none"},
            **dict.fromkeys(("mnms", "acdc")),
        },
        "training_cohort": "clinic",
        "models": {
            "context": {"sampling": "uniform", "configuration": "3d_fullres"},
            "strong": {"sampling": "uniform", "planner": "resenc_m"},
            "joint": {"sampling": "uniform", "network": "joint"},
        },
        "approaches": {"sampling_low": None, "sampling_high": None, **APPROACHES},
        "classification": {"image_size_px": IMAGE_SIZE_PX, "field_of_view_mm": FIELD_OF_VIEW_MM},
        "precision": "fp32",
    }
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["cohorts"].pop("nhs")
    config["classification"]["networks"] = NETWORKS
    update_config(config, mine)
    return load_settings(config).model_dump(mode="json")


class Results:
    """Paths of a results folder, which `make` fills."""

    def __init__(self, root):
        self.root = root
        self.preprocessed = root / "nnunet/preprocessed/Dataset001_clinic"
        self.raw = root / "nnunet/raw/Dataset001_clinic/dataset.json"
        self.plans = self.preprocessed / "nnUNetPlans.json"
        self.plans_3d = self.preprocessed / "nnUNetPlans_default_3d_fullres.json"
        self.selected = root / "classifiers/selected.yaml"
        self.calibration = root / "classifiers/calibration.yaml"
        self.head_calibration = root / "heads/joint/calibration.yaml"
        self.slices = root / "cohorts/clinic/slices.csv"
        self.splits = root / "cohorts/clinic/splits.csv"

    def model(self, name):
        return self.root / f"nnunet/results/Dataset001_clinic/SliceTrainer__nnUNetPlans__{name}"

    def weights(self, model):
        return str(self.model(model) / "fold_0/checkpoint_final.pth")

    def classifier(self, network):
        return str(self.root / f"classifiers/{network}/weights.pth")

    def extent(self, model):
        return self.root / f"extents/{model}/clinic.csv"

    def make(self):
        """Write all that the paths lead to."""
        write_yaml(
            self.root / "provenance.yaml",
            {
                "workflow": "0.2.0",
                "commit": "0" * 40,
                "versions": {**versions(), "nnunetv2": "1.0"},
                "configuration": configuration(),
            },
        )
        dataset = {**DATASET, "numTraining": 4, "dataset": {case: {"label": f"{case}.nii.gz"} for case, *_ in SPLITS}}
        write_json(self.raw, dataset)
        write_json(self.plans, plans_of("2d", PLANS["configurations"]["2d"], []))
        write_json(self.plans_3d, plans_of("3d_fullres", IN_3D, []))
        for seed, model in enumerate(sorted(PLANS_OF)):
            self._train(model, seed, dataset)
        for seed, network in enumerate(NETWORKS):
            self._train_classifier(network, seed)
        write_yaml(self.selected, {"network": "shufflenet_v2_x0_5", "select_on": "test"})
        temperatures = {name: {"temperature": 1.5, "slices": 8} for name in (*NETWORKS, "all")}
        write_yaml(self.calibration, temperatures)
        write_yaml(self.head_calibration, {"all": {"temperature": 1.2, "slices": 8}})
        self._write_tables()
        return self

    def _train(self, model, seed, dataset):
        """An untrained model with all that a training leaves in its folder."""
        folder = self.model(model)
        write_model(folder, model, seed)
        write_json(folder / "dataset.json", dataset)
        plans = json.loads((folder / "plans.json").read_text())
        plans["configurations"][model]["slices"] = "../../../cohorts/clinic/slices.csv"
        write_json(folder / "plans.json", plans)
        checkpoint = torch.load(self.weights(model), weights_only=True)
        checkpoint["init_args"] |= {"dataset_json": dataset, "made_from": "digest"}
        checkpoint |= {"optimizer_state": {"momentum": torch.ones(1000)}, "logging": {"losses": [np.float64(0.5)]}}
        torch.save(checkpoint, self.weights(model))

    def _train_classifier(self, network, seed):
        torch.manual_seed(seed)
        weights = networks.build(network, IMAGE_SIZE_PX).state_dict()
        content = {"network": network, "image_size_px": IMAGE_SIZE_PX, "field_of_view_mm": FIELD_OF_VIEW_MM}
        (self.root / f"classifiers/{network}").mkdir(parents=True)
        torch.save({**content, "state_dict": weights, "history": [{"epoch": 1}]}, self.classifier(network))

    def _write_tables(self):
        splits = pd.DataFrame(SPLITS, columns=["case", "patient", "split"])
        regions = ["base", "middle", "middle", "apex", "non-cardiac"]
        slices = splits.drop(columns="split").merge(pd.DataFrame({"slice": range(5), "region": regions}), how="cross")
        slices["position"] = (slices["slice"] / 3).where(slices["slice"] < 4)
        write_csv(self.splits, splits)
        write_csv(self.slices, slices.assign(phase=slices["case"].str[-2:]))
        for model in ("baseline", "context"):
            write_csv(self.extent(model), slices[["case", "slice"]].assign(found=slices["slice"] < 4))
        scores = slices[slices["case"].str.contains("3")].merge(pd.DataFrame({"label": list(LABELS)}), how="cross")
        heart = scores["region"] != SLICE_CLASSES[0]
        scores = scores.assign(
            cohort="clinic",
            phase=scores["case"].str[-2:],
            reference_mm2=heart * 100.0,
            predicted_mm2=heart * 90.0,
            dsc=scores["region"].map({"base": 0.8, "middle": 0.9, "apex": 0.6}),
        )
        for approach in APPROACHES:
            write_csv(self.root / f"scores/{approach}/clinic.csv", scores.assign(approach=approach))


def write_json(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def write_yaml(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def write_csv(file, table):
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False)
