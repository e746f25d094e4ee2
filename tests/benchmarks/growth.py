"""Time and memory of the stages from conversion to the answers, at growing numbers of patients.

PYTHONPATH=workflow_scripts python tests/benchmarks/growth.py --patients 50 200 800 --json growth.json
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from stacks import raw_cohort

from report import arguments, report

SHAPE = (10, 64, 64)
POLL_S = 0.02
DATASET = "Dataset001_growth"
NETWORK = "squeezenet1_1"
PLAN = {"spacing_mm": None, "patch_size_px": [64, 64], "features": [4, 8, 8]}
TRAINING = {"epochs": 1, "batch_size": 16, "learning_rate": 0.001, "precision": "fp32", "deterministic": False}
SEGMENTER = TRAINING | {"iterations_per_epoch": 50, "validation_iterations": 1}
CLASSIFIER = TRAINING | {"loss_weights": "none", "field_of_view_mm": 80, "image_size_px": 32}
SPLITS = {"train": 0.6, "validation": 0.2, "test": 0.2}
PAPER = Path(__file__).parents[2] / "resources/paper"
REPORTED = {"cohorts": {"growth": "Growth"}, "approaches": {"baseline": "Baseline", "perfect": "Perfect"}}
STAGE = """
import importlib, json, resource, sys, time
module, function = sys.argv[1].rsplit(".", 1)
keywords = json.loads(sys.argv[2])
call = getattr(importlib.import_module(f"cmrslices.{module}"), function)
def cpu_s():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
before = time.perf_counter(), cpu_s()
call(**keywords)
print("\\n" + json.dumps([time.perf_counter() - before[0], cpu_s() - before[1]]))
"""
"""A stage in its own Python, as in the workflow; prints wall and CPU time of the work, without the imports."""


def stages(folder: Path, row: dict, threads: int) -> dict[str, tuple[str, dict]]:
    """Function and arguments of each stage, in the workflow's order; all cases are predicted and scored."""
    preprocessed, results = folder / f"nnunet/preprocessed/{DATASET}", folder / f"nnunet/results/{DATASET}"
    images, labels, cases = folder / "images", folder / "labels", folder / "cases.csv"
    splits, slices, tested = folder / "splits.csv", folder / "slices.csv", folder / "tested.csv"
    raw, plans = folder / f"nnunet/raw/{DATASET}/dataset.json", preprocessed / "nnUNetPlans.json"
    folds, store, unseen = preprocessed / "splits_final.json", preprocessed / "store", folder / "preprocessed"
    segmenter = results / "SliceTrainer__nnUNetPlans__baseline/fold_0/checkpoint_final.pth"
    classifier, predicted = folder / NETWORK / "weights.pth", folder / "predicted"
    scores = {name: folder / f"{name}.csv" for name in REPORTED["approaches"]}
    common = {"threads": threads}
    trained = {"seed": 0, "code": "code", "store": store, "plans": plans, "folds": folds, "slices": slices} | common
    scored = {"references": labels, "slices": slices, "splits": tested, "cohort": "growth"} | common
    tables = {"scores": list(scores.values()), "baseline": "baseline", **REPORTED}
    return {
        "convert_cohort": (
            "cohorts.convert.cohort.convert_cohort",
            {"name": "growth", "cohort": row, "images": images, "labels": labels, "cases": cases}
            | {"finished": folder / "finished", "code": "code"}
            | common,
        ),
        "split_cohort": ("cohorts.splits.split_cohort", {"cases": cases, "splits": splits, "sizes": SPLITS, "seed": 0}),
        "assign_regions": (
            "cohorts.regions.assign_regions",
            {"cases": cases, "labels": labels, "slices": slices, "base": 0.2, "apex": 0.2} | common,
        ),
        "plan_segmentation": (
            "segmentation.planning.plan_segmentation",
            {"images": images, "labels": labels, "splits": splits, "plan": PLAN, "raw": raw, "plans": plans}
            | {"folds": folds}
            | common,
        ),
        "preprocess_segmentation": (
            "segmentation.preprocessing.preprocess_segmentation",
            {"plans": plans, "raw": raw, "store": store} | common,
        ),
        "preprocess_cohort": (
            "segmentation.preprocessing.preprocess_cohort",
            {"plans": plans, "dataset": raw, "images": images, "splits": tested, "store": unseen} | common,
        ),
        "train_segmenter, 50 mini-batches": (
            "segmentation.training.train_segmenter",
            trained
            | {"model": "baseline", "policy": {"sampling": "uniform"}, "training": SEGMENTER}
            | {"dataset": raw, "weights": segmenter, "checkpoint_every": 1},
        ),
        "train_classifier, 1 epoch": (
            "classification.training.train_classifier",
            trained
            | {"network": NETWORK, "training": CLASSIFIER, "initial": None, "memory_mb": 4000, "checkpoint_every": 1}
            | {"weights": classifier, "history": classifier.with_name("history.csv")},
        ),
        "classify": (
            "classification.inference.classify",
            {"weights": classifier, "store": unseen, "splits": tested}
            | {"probabilities": folder / NETWORK / "growth.csv"}
            | common,
        ),
        "predict_regions": (
            "classification.probabilities.write_selected_regions",
            {"selected": folder / "selected.yaml", "networks": [NETWORK], "regions": folder / "regions.csv"}
            | {"probabilities": [folder / NETWORK / "growth.csv"]},
        ),
        "predict": (
            "prediction.cohort.predict_cohort",
            {"approach": {"router": "constant", "model": "baseline"}, "weights": [segmenter], "regions": None}
            | {"store": unseen, "splits": tested, "mirroring": True, "precision": "fp32"}
            | {"labels": predicted, "routes": folder / "routes.csv"}
            | common,
        ),
        "score": (
            "evaluation.scores.score_cohort",
            scored | {"predictions": predicted, "scores": scores["baseline"], "approach": "baseline"},
        ),
        "score, a second approach": (
            "evaluation.scores.score_cohort",
            scored | {"predictions": labels, "scores": scores["perfect"], "approach": "perfect"},
        ),
        "table3": (
            "evaluation.table3.write_table3",
            tables
            | {"candidates": ["perfect"], "significance": 0.01, "paper": PAPER / "table3.csv"}
            | files(folder, "table", "csv", "md", "tex", "html")
            | files(folder, "against_paper", "csv", "md", "html")
            | files(folder, "false_positives", "csv", "md", "html"),
        ),
        "figure2": (
            "evaluation.figure2.write_figure2",
            {"scores": list(scores.values()), "approaches": REPORTED["approaches"], "points": 50}
            | {"csv": folder / "figure2.csv"}
            | files(folder, "figure", "png", "pdf", "html"),
        ),
        "answers": (
            "evaluation.answer_files.write_answers",
            tables
            | {"regions": [folder / "regions.csv"]}
            | {"bounds": {"perfect": None}, "trained_slices": {"baseline": 1, "perfect": 1}, "controls": {}}
            | {"table1": PAPER / "table1.csv", "table3": PAPER / "table3.csv"}
            | files(folder, "table", "csv", "md", "html")
            | files(folder, "against_paper", "csv", "md", "html"),
        ),
    }


def files(folder: Path, name: str, *endings: str) -> dict[str, list[str]]:
    """An argument with the files of a table or figure to write."""
    return {name: [str(folder / f"{name}.{ending}") for ending in endings]}


def measure(function: str, keywords: dict) -> dict:
    """Run a stage; its wall and CPU time without imports, and the peak memory of its processes together."""
    command = [sys.executable, "-c", STAGE, function, json.dumps(keywords, default=str)]
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as faults:
        process = subprocess.Popen(command, stdout=printed, stderr=faults)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(psutil.Process(process.pid)))
            time.sleep(POLL_S)
        printed.seek(0), faults.seek(0)
        if process.returncode:
            raise RuntimeError(f"{function} failed:\n{faults.read()[-2000:]}")
        wall_s, cpu_s = json.loads(printed.read().splitlines()[-1])
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_rss_mib": peak / 2**20}


def exponents(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Slope of each measure against the patients in log-log coordinates, over all sizes; 1 is linear."""
    found = {}
    for stage in dict.fromkeys(row["stage"] for row in rows):
        own = [row for row in rows if row["stage"] == stage]
        patients = np.log([row["patients"] for row in own])
        found[stage] = {
            name: round(float(np.polyfit(patients, np.log([row[name] for row in own]), 1)[0]), 2)
            for name in ("wall_s", "cpu_s", "peak_rss_mib")
        }
    return found


def _resident(parent: psutil.Process) -> int:
    total = 0
    try:
        for process in [parent, *parent.children(recursive=True)]:
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def _measure_cohort(folder: Path, patients: int, threads: int) -> list[dict]:
    row = raw_cohort(folder / "raw", patients, SHAPE)
    rows = []
    for stage, call in stages(folder, row, threads).items():
        if stage == "assign_regions":
            cases = (folder / "splits.csv").read_text()
            (folder / "tested.csv").write_text(cases.replace(",train", ",test").replace(",validation", ",test"))
            (folder / NETWORK).mkdir()
            (folder / "selected.yaml").write_text(f"network: {NETWORK}\n")
        measured = measure(*call)
        rows.append({"stage": stage, "patients": patients, **measured})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure every stage at every size."""
    options = arguments(__doc__, repeats=1, patients=(50, 200, 800), processes=len(os.sched_getaffinity(0)))
    rows = []
    for _ in range(options.repeats):
        for patients in options.patients:
            with tempfile.TemporaryDirectory() as scratch:
                rows += _measure_cohort(Path(scratch), patients, options.processes)
    order = list(dict.fromkeys(row["stage"] for row in rows))
    rows = sorted(rows, key=lambda row: order.index(row["stage"]))
    shape = "x".join(map(str, SHAPE))
    title = f"Growth with the patients; two stacks of {shape} voxels each, {options.processes} processes"
    report(title, rows, options.json, exponents=exponents(rows))


if __name__ == "__main__":
    main()
