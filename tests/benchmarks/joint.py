"""What a joint network costs beside the baseline, and what batch normalisation before its region head changes.

PYTHONPATH=workflow_scripts python tests/benchmarks/joint.py --json joint.json
PYTHONPATH=workflow_scripts python tests/benchmarks/joint.py --epochs 0 # costs alone
PYTHONPATH=workflow_scripts python tests/benchmarks/joint.py --repeats 0 --features 8,16,32,64 # heads alone

The hearts are the demo's. Costs: training steps with the drawing of their batches, and the logits of whole stacks with
mirroring. Heads: two trainings of epochs of 50 steps, from one seed, with and without batch normalisation; the share of
right regions among slices of patients that neither saw.
"""

import json
import tempfile
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import torch
from torch import nn
from training import Data, pair

from cmrslices.demo.cohorts import make_demo_cohort
from cmrslices.labels import SLICE_CLASSES
from cmrslices.prediction.sliding_window import Segmenter, load_segmenter, region_probabilities, routed_logits
from cmrslices.runtime.devices import best_device
from cmrslices.segmentation import joint_network
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.preprocessed import read_preprocessed
from cmrslices.segmentation.preprocessing import preprocess_cohort
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import model_plans, train_segmenter
from report import arguments, interleaved, quiet, report

JOINT = {"loss_weight": 0.5, "label_smoothing": 0.05, "learning_rate": 0.0003}
UNIFORM = {"sampling": "uniform"}
HEADS = {
    "linear, after batch normalisation (ours)": joint_network.region_head,
    "linear": lambda features: nn.Linear(features, len(SLICE_CLASSES)),
}
DEVICE = best_device()


def make_data(root: Path, patients: int, plan: dict) -> Data:
    """Synthetic hearts: 20 of 32 patients to train on, 4 to validate, 8 to test."""
    make_demo_cohort(str(root / "raw"), "acdc", "acdc", patients, seed=1, threads=1)
    data = Data(root)
    shares = {"train": patients * 5 // 8, "validation": patients // 8, "test": patients // 4}
    data.make(str(root / "raw"), "acdc", shares, plan, 1)
    files = (data.plans, data.dataset, data.cohort / "images", data.cohort / "splits.csv")
    preprocess_cohort(*files, threads=1, store=data.preprocessed_cohort)
    return data


def trainer_of(data: Data, model: str, training: dict) -> SliceTrainer:
    """A trainer that has done no step."""
    set_nnunet_folders(data.preprocessed)
    plans = model_plans(data.plans, data.slices, model, UNIFORM, training, 1)
    settings = ({**plans, "continue_training": False}, model, 0, json.loads(data.dataset.read_text()))
    trainer = SliceTrainer(*settings, DEVICE)
    trainer.initialize()
    return trainer


def train_epoch(trainer: SliceTrainer) -> None:
    """The steps of one epoch, the same in every turn."""
    for _, batch in zip(range(trainer.num_iterations_per_epoch), trainer.get_dataloaders()[0], strict=False):
        trainer.train_step(batch)


def costs(data: Data, training: dict, repeats: int) -> list[dict]:
    """Rows of parameters, of the time of an epoch and of the time of a prediction, baseline and joint."""
    with quiet():
        trainers = {"baseline": trainer_of(data, "baseline", training)}
        trainers["joint"] = trainer_of(data, "joint", {**training, "joint": JOINT})
        epochs = interleaved({name: partial(train_epoch, own) for name, own in trainers.items()}, repeats)
        segmenters = {}
        for name, trainer in trainers.items():
            weights = Path(trainer.output_folder) / "checkpoint_final.pth"
            trainer.on_train_start()
            trainer.save_checkpoint(str(weights))
            segmenters[name] = load_segmenter(weights, True, DEVICE)[1]
    stacks = [read_stack(data, case, segmenters["joint"]) for case in test_cases(data)]
    predictions = interleaved({name: partial(predict, stacks, name, own) for name, own in segmenters.items()}, repeats)
    return [
        {
            "network": name,
            "parameters": sum(weights.numel() for weights in trainers[name].network.parameters()),
            "epoch_cpu_s": epochs[name].cpu_s,
            "epoch_ratio": epochs[name].cpu_s / epochs["baseline"].cpu_s,
            "prediction_cpu_s": predictions[name].cpu_s,
            "prediction_ratio": predictions[name].cpu_s / predictions["baseline"].cpu_s,
        }
        for name in trainers
    ]


def predict(stacks: list[torch.Tensor], model: str, segmenter: Segmenter) -> None:
    """Logits of whole stacks."""
    routed_logits(stacks, [[model] * stack.shape[1] for stack in stacks], {model: segmenter})


def heads(data: Data, training: dict) -> list[dict]:
    """Rows of the right regions after a training, by head."""
    rows = []
    for number, (name, head) in enumerate(HEADS.items()):
        started = time.process_time()
        with patch.object(joint_network, "region_head", head):
            with quiet():
                own = data.arguments(f"head{number}", {**training, "joint": JOINT}, 1, 1)
                train_segmenter(**own)
            _, segmenter = load_segmenter(own["weights"], True, DEVICE)
        rows.append({"head": name, **right_shares(data, segmenter), "cpu_s": time.process_time() - started})
    return rows


def right_shares(data: Data, segmenter: Segmenter) -> dict[str, float]:
    """Shares of the test patients' slices with the right region: of all, and of each region."""
    slices = pd.read_csv(data.slices, keep_default_na=False)
    found = []
    for case in test_cases(data):
        named = region_probabilities(read_stack(data, case, segmenter), segmenter).argmax(1).tolist()
        reference = slices[slices["case"] == case].sort_values("slice")["region"].tolist()
        kept = read_preprocessed(data.preprocessed_cohort, case).kept
        found += [(reference[index], SLICE_CLASSES[region]) for index, region in zip(kept, named, strict=True)]
    table = pd.DataFrame(found, columns=["reference", "named"])
    right = table["reference"] == table["named"]
    return {"all": right.mean(), **right.groupby(table["reference"]).mean().reindex(SLICE_CLASSES).to_dict()}


def test_cases(data: Data) -> list[str]:
    """Cases that no training saw."""
    splits = pd.read_csv(data.cohort / "splits.csv")
    return splits.loc[splits["split"] == "test", "case"].tolist()


def read_stack(data: Data, case: str, segmenter: Segmenter) -> torch.Tensor:
    """A preprocessed case, no smaller than a tile."""
    stack = torch.from_numpy(read_preprocessed(data.preprocessed_cohort, case).voxels)
    rows, columns = segmenter.configuration.patch_size
    missing = (0, max(0, columns - stack.shape[3]), 0, max(0, rows - stack.shape[2]))
    return nn.functional.pad(stack, missing).to(DEVICE)


def main() -> None:
    """Measure and report."""
    options = arguments(
        __doc__.splitlines()[0],
        repeats=5,
        patients=32,
        batch_size=8,
        patch="80,80",
        features="16,32,64,128",
        steps=20,
        epochs=12,
    )
    torch.set_num_threads(1)
    plan = {"spacing_mm": [2.5, 2.5], "patch_size_px": pair(options.patch), "features": pair(options.features)}
    training = {
        "epochs": 1,
        "iterations_per_epoch": options.steps,
        "validation_iterations": 1,
        "batch_size": options.batch_size,
        "learning_rate": 0.01,
        "precision": "fp32",
        "deterministic": False,
    }
    with tempfile.TemporaryDirectory() as scratch:
        with quiet():
            data = make_data(Path(scratch), options.patients, plan)
        if options.repeats:
            rows = costs(data, training, options.repeats)
            title = f"{options.steps} steps of {options.batch_size} slices, features {options.features}, {DEVICE.type}"
            report(title, rows, options.json)
        if options.epochs:
            rows = heads(data, {**training, "epochs": options.epochs, "iterations_per_epoch": 50})
            file = Path(options.json).with_suffix(".heads.json") if options.json else None
            report(f"Right regions after {options.epochs * 50} steps", rows, file)


if __name__ == "__main__":
    main()
