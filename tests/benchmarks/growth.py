"""Time and memory of the stages that see every patient, at growing numbers of patients.

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
STAGE = """
import importlib, json, resource, sys, time
module, function, keywords = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
call = getattr(importlib.import_module(module), function)
def cpu_s():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
before = time.perf_counter(), cpu_s()
call(**keywords)
print("\\n" + json.dumps([time.perf_counter() - before[0], cpu_s() - before[1]]))
"""
"""A stage in its own Python, as in the workflow; prints wall and CPU time of the work, without the imports."""


def stages(folder: Path, row: dict, threads: int) -> dict[str, tuple[str, str, dict]]:
    """Module, function and arguments of each stage, in the workflow's order."""
    dataset = "Dataset001_growth"
    preprocessed = folder / f"nnunet/preprocessed/{dataset}"
    images, labels, cases = folder / "images", folder / "labels", folder / "cases.csv"
    splits, slices = folder / "splits.csv", folder / "slices.csv"
    raw, plans = folder / f"nnunet/raw/{dataset}/dataset.json", preprocessed / "nnUNetPlans.json"
    convert = {"name": "growth", "cohort": row, "images": images, "labels": labels, "cases": cases}
    plan = {"spacing_mm": None, "patch_size_px": None, "features": None}
    common = {"threads": threads}
    return {
        "convert_cohort": (
            "cmrslices.convert.cohort",
            "convert_cohort",
            convert | {"finished": folder / "finished", "code": "code"} | common,
        ),
        "split_cohort": (
            "cmrslices.splits",
            "split_cohort",
            {"cases": cases, "splits": splits, "sizes": {"train": 0.6, "validation": 0.2, "test": 0.2}, "seed": 0},
        ),
        "assign_regions": (
            "cmrslices.regions",
            "assign_regions",
            {"cases": cases, "labels": labels, "slices": slices, "base": 0.2, "apex": 0.2} | common,
        ),
        "plan_segmentation": (
            "cmrslices.segmentation.planning",
            "plan_segmentation",
            {"images": images, "labels": labels, "splits": splits, "plan": plan, "raw": raw, "plans": plans}
            | {"folds": preprocessed / "splits_final.json"}
            | common,
        ),
        "preprocess_segmentation": (
            "cmrslices.segmentation.planning",
            "preprocess_segmentation",
            {"plans": plans, "raw": raw, "store": preprocessed / "store"} | common,
        ),
        "score": (
            "cmrslices.evaluation.scores",
            "score_cohort",
            {"predictions": labels, "references": labels, "slices": slices, "splits": folder / "tested.csv"}
            | {"scores": folder / "scores.csv", "cohort": "growth", "approach": "reference"}
            | common,
        ),
    }


def measure(module: str, function: str, keywords: dict) -> dict:
    """Run a stage; its wall and CPU time without imports, and the peak memory of its processes together."""
    command = [sys.executable, "-c", STAGE, module, function, json.dumps(keywords, default=str)]
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
        if stage == "score":  # every case, against itself
            cases = (folder / "splits.csv").read_text()
            (folder / "tested.csv").write_text(cases.replace(",train", ",test").replace(",validation", ",test"))
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
    rows = sorted(rows, key=lambda row: row["stage"])
    shape = "x".join(map(str, SHAPE))
    title = f"Growth with the patients; two stacks of {shape} voxels each, {options.processes} processes"
    report(title, rows, options.json, exponents=exponents(rows))


if __name__ == "__main__":
    main()
