"""Routed prediction against four runs of nnUNetv2_predict and a merge, with networks of the paper's size.

PYTHONPATH=workflow_scripts python tests/benchmarks/prediction.py --json prediction.json
PYTHONPATH=workflow_scripts python tests/benchmarks/prediction.py --raw data/ACDC --format acdc

One model, trained briefly so that few voxels are near ties, stands for all four: time does not depend on weights.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
import torch
from training import Data, pair

from cmrslices.labels import LABELS
from cmrslices.runtime.devices import best_device
from cmrslices.segmentation.nnunet import TRAINERS
from cmrslices.segmentation.training import model_plans, train_segmenter
from report import arguments, compared, interleaved, quiet, report

MODELS = {"base": "base", "middle": "middle", "apex": "apex", "non-cardiac": "baseline"}
TRAINING = {
    "epochs": 10,
    "validation_iterations": 1,
    "batch_size": 8,
    "learning_rate": 0.01,
    "precision": "auto",
    "deterministic": False,
}
STOCK = "nnUNetv2_predict"
PROFILED = """
import time
started = time.perf_counter()
import json, sys
from cmrslices.prediction import cohort as prediction
spent = {"imports_s": time.perf_counter() - started, "loading_s": 0.0, "forward_s": 0.0}
load = prediction.load_segmenter

def load_timed(*arguments):
    before = time.perf_counter()
    model, segmenter = load(*arguments)
    spent["loading_s"] += time.perf_counter() - before
    segmenter.network.forward = timed(segmenter.network.forward)
    return model, segmenter

def timed(forward):
    def call(tiles):
        before = time.perf_counter()
        logits = forward(tiles)
        if logits.is_cuda:
            import torch
            torch.cuda.synchronize()
        spent["forward_s"] += time.perf_counter() - before
        return logits
    return call

prediction.load_segmenter = load_timed
prediction.predict_cohort(**json.loads(sys.argv[1]))
spent["process_s"] = time.perf_counter() - started
print("\\n" + json.dumps(spent))
"""
"""Our prediction in its own Python, as in the workflow."""
PREPROCESSING = """
import json, sys
from cmrslices.segmentation.preprocessing import preprocess_cohort
preprocess_cohort(**json.loads(sys.argv[1]))
"""


class Work(Data):
    """A cohort, its four models, and what both predict."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.profiles = []

    def test_cases(self) -> list[str]:
        """What is predicted."""
        table = pd.read_csv(self.cohort / "splits.csv")
        return sorted(table.loc[table["split"] == "test", "case"])


def make_models(work: Work, iterations: int, threads: int) -> None:
    """Train the baseline briefly and copy it to the other models."""
    policy = {"sampling": "uniform"}
    training = {**TRAINING, "iterations_per_epoch": iterations // TRAINING["epochs"]}
    with quiet():
        train_segmenter(**work.arguments("baseline", training, 0, threads))
    checkpoint = torch.load(work.weights("baseline"), weights_only=False)
    for model in set(MODELS.values()) - {"baseline"}:
        folder = work.weights(model).parents[1]
        (folder / "fold_0").mkdir(parents=True)
        shutil.copy(work.dataset, folder / "dataset.json")
        plans = model_plans(work.plans, work.slices, model, policy, training, 0)
        (folder / "plans.json").write_text(json.dumps(plans))
        checkpoint["init_args"]["configuration"] = model
        torch.save(checkpoint, work.weights(model))


def preprocess(work: Work, threads: int) -> float:
    """The rule that all approaches share, in its own Python as in the workflow; its seconds."""
    keywords = {
        "plans": str(work.plans),
        "dataset": str(work.dataset),
        "images": str(work.cohort / "images"),
        "splits": str(work.cohort / "splits.csv"),
        "threads": threads,
        "store": str(work.preprocessed_cohort),
    }
    shutil.rmtree(work.preprocessed_cohort, ignore_errors=True)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", PREPROCESSING, json.dumps(keywords)], check=True, capture_output=True)
    return time.perf_counter() - started


def predict(work: Work, precision: str, threads: int) -> dict:
    """One approach on a preprocessed cohort, and where its time went."""
    keywords = {
        "approach": {"router": "reference", "models": MODELS},
        "weights": [str(work.weights(model)) for model in sorted(set(MODELS.values()))],
        "regions": str(work.slices),
        "store": str(work.preprocessed_cohort),
        "splits": str(work.cohort / "splits.csv"),
        "mirroring": True,
        "precision": precision,
        "threads": threads,
        "labels": str(work.root / "ours"),
        "routes": str(work.root / "routes.csv"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROFILED, json.dumps(keywords)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def preprocess_and_predict(work: Work, precision: str, threads: int) -> None:
    """Both, and their profile."""
    preprocessing_s = preprocess(work, threads)
    work.profiles.append({"preprocessing_s": preprocessing_s, **predict(work, precision, threads)})


def predict_stock(work: Work, device: str) -> None:
    """Every slice by every model with nnU-Net's command as it comes, and a merge."""
    inputs = work.root / "test_images"
    inputs.mkdir(exist_ok=True)
    for case in work.test_cases():
        image = f"{case}_0000.nii.gz"
        (inputs / image).unlink(missing_ok=True)
        (inputs / image).symlink_to((work.cohort / "images" / image).resolve())
    folders = {f"nnUNet_{name}": str(work.root / "nnunet" / name) for name in ("raw", "preprocessed", "results")}
    environment = {**os.environ, **folders, "nnUNet_extTrainer": str(TRAINERS)}
    for model in sorted(set(MODELS.values())):
        command = [
            str(Path(sys.executable).with_name(STOCK)),
            "-i",
            str(inputs),
            "-o",
            str(work.root / "stock" / model),
        ]
        command += ["-d", "1", "-c", model, "-f", "0", "-tr", "SliceTrainer", "-device", device]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    routes = pd.read_csv(work.slices, keep_default_na=False).set_index(["case", "slice"])["region"]
    (work.root / "merged").mkdir(exist_ok=True)
    for case in work.test_cases():
        name = f"{case}.nii.gz"
        images = {model: sitk.ReadImage(work.root / "stock" / model / name) for model in set(MODELS.values())}
        arrays = {model: sitk.GetArrayFromImage(image) for model, image in images.items()}
        merged = sitk.GetImageFromArray(
            np.stack([arrays[MODELS[region]][index] for index, region in routes[case].items()])
        )
        merged.CopyInformation(images["baseline"])
        sitk.WriteImage(merged, work.root / "merged" / name)


def agreement(work: Work) -> dict:
    """How our label maps and the stock ones agree, and how the DSC of slices differs between them."""
    equal, heart, differences = [], [], []
    for case in work.test_cases():
        ours, stock, reference = (
            sitk.GetArrayFromImage(sitk.ReadImage(folder / f"{case}.nii.gz"))
            for folder in (work.root / "ours", work.root / "merged", work.cohort / "labels")
        )
        equal.append((ours == stock).ravel())
        heart.append((ours == stock)[(ours > 0) | (stock > 0)])
        differences += [
            slice_dsc(one == label, true == label) - slice_dsc(other == label, true == label)
            for one, other, true in zip(ours, stock, reference, strict=True)
            for label in LABELS.values()
            if (true == label).any()
        ]
    if not np.concatenate(heart).size:
        raise SystemExit("both label maps are empty, so their agreement tells nothing: train for longer (--iterations)")
    return {
        "voxels_equal": np.concatenate(equal).mean(),
        "voxels_equal_in_the_heart": np.concatenate(heart).mean(),
        "mean_dsc_difference": np.mean(differences),
        "mean_absolute_dsc_difference": np.abs(differences).mean(),
        "largest_dsc_difference": np.abs(differences).max(),
    }


def slice_dsc(one: np.ndarray, other: np.ndarray) -> float:
    """Dice similarity coefficient of two masks, of which one is not empty."""
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def main() -> None:
    """Measure and report."""
    options = arguments(
        __doc__.splitlines()[0],
        repeats=3,
        warm_ups=1,
        patients=6,
        training=6,
        iterations=300,
        spacing="",
        patch="256,224",
        features="32,64,128,256,512,512",
        raw="",
        format="acdc",
        precision="auto",
        threads=len(os.sched_getaffinity(0)),
    )
    with tempfile.TemporaryDirectory() as scratch:
        work = Work(Path(scratch))
        plan = {
            "spacing_mm": pair(options.spacing),
            "patch_size_px": pair(options.patch),
            "features": pair(options.features),
        }
        patients = {"train": options.training, "validation": 1, "test": options.patients}
        with quiet():
            work.make(options.raw, options.format, patients, plan, options.threads)
        make_models(work, options.iterations, options.threads)
        stock = f"{STOCK}, 4 models, and a merge"
        variants = {
            stock: partial(predict_stock, work, best_device().type),
            "preprocessing and routed prediction": partial(
                preprocess_and_predict, work, options.precision, options.threads
            ),
            "routed prediction by a further approach": partial(predict, work, options.precision, options.threads),
        }
        times = interleaved(variants, options.repeats, options.warm_ups)
        profile = pd.DataFrame(work.profiles[options.warm_ups :])
        cases = work.test_cases()
        report(
            f"Prediction of {len(cases)} cases, {len(pd.read_csv(work.root / 'routes.csv'))} slices",
            compared(times, stock),
            options.json,
            **profile.median().round(2).to_dict(),
            share_in_forward_passes=(
                profile["forward_s"] / (profile["process_s"] + profile["preprocessing_s"])
            ).median(),
            share_without_preprocessing=(profile["forward_s"] / profile["process_s"]).median(),
            share_without_start_up=(
                profile["forward_s"] / (profile["process_s"] - profile["imports_s"] - profile["loading_s"])
            ).median(),
            **agreement(work),
        )


if __name__ == "__main__":
    main()
