"""The rule `boundaries` against the rule `score` on the same files, and the metric against DeepMind's surface-distance.

PYTHONPATH=workflow_scripts python tests/benchmarks/boundaries.py --cases 200 --json boundaries.json
PYTHONPATH=workflow_scripts python tests/benchmarks/boundaries.py --raw data/ACDC --format acdc
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
import surface_distance
from scipy.ndimage import gaussian_filter, map_coordinates
from stacks import scored_cohort

from cmrslices.cohorts.convert.cohort import convert_cohort
from cmrslices.cohorts.regions import PAPER, assign_regions
from cmrslices.evaluation.boundaries import BOTH, measure_cohort, measure_slices
from cmrslices.evaluation.label_maps import read_label_maps, tested_cases
from cmrslices.evaluation.scores import score_cohort
from cmrslices.labels import LABELS
from report import arguments, compared, interleaved, quiet, report

MISSED = 0.05
"""Share of slices in which the made predictions find nothing."""
SMOOTHNESS_PX, STRENGTH = 4, 12
"""Of the noise that bends the references; it moves boundaries by about 2 pixels."""
JOB = """
import importlib, json, sys
module, function = sys.argv[1].rsplit(".", 1)
getattr(importlib.import_module(f"cmrslices.{module}"), function)(**json.loads(sys.argv[2]))
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print("\\n" + peak)
"""
"""A rule's function in a Python of its own; prints the peak of its memory in KiB."""
# surface-distance 0.1 calls these two modules of SciPy, which no longer are there unless somebody imports them.
warnings.simplefilter("ignore", DeprecationWarning)
for name in ("filters", "morphology"):
    importlib.import_module(f"scipy.ndimage.{name}")


def real_cohort(folder: Path, row: dict, threads: int) -> Path:
    """Convert a raw cohort, and predict all of its cases by bending the references; what `scored_cohort` writes."""
    parts = (folder / name for name in ("images", "references", "cases.csv", "finished"))
    with quiet():
        convert_cohort("bench", row, *parts, "code", threads)
        assign_regions(folder / "cases.csv", folder / "references", folder / "slices.csv", PAPER, threads)
    draw = np.random.default_rng(0)
    (folder / "predictions").mkdir()
    cases = [path.name.removesuffix(".nii.gz") for path in sorted((folder / "references").iterdir())]
    for case in cases:
        reference = sitk.ReadImage(folder / f"references/{case}.nii.gz")
        prediction = sitk.GetImageFromArray(np.stack([bent(part, draw) for part in sitk.GetArrayFromImage(reference)]))
        prediction.CopyInformation(reference)
        sitk.WriteImage(prediction, folder / f"predictions/{case}.nii.gz", useCompression=True)
    splits = pd.read_csv(folder / "cases.csv", dtype=str)[["case", "patient"]].assign(split="test")
    splits[splits["case"].isin(cases)].to_csv(folder / "splits.csv", index=False)
    return folder


def bent(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Labels of a slice, moved by smooth noise; now and then none."""
    if draw.random() < MISSED:
        return np.zeros_like(labels)
    noise = [STRENGTH * gaussian_filter(draw.normal(size=labels.shape), SMOOTHNESS_PX) for _ in range(2)]
    return map_coordinates(labels, np.indices(labels.shape) + noise, order=0)


def metric_benchmark(folder: Path, cases: list[str], repeats: int, json_path: str | None) -> None:
    """Compare the metric on arrays in memory; both must find the same distances."""
    maps = [read_label_maps(case, folder / "predictions", folder / "references") for case in cases]

    def ours() -> list[tuple[float, float, float]]:
        found = [measure_slices(p.voxels, r.voxels, r.spacing_mm[1::-1]) for p, r in maps]
        return [boundary.distances for boundaries in found for boundary in boundaries if boundary.found == BOTH]

    def theirs() -> list[tuple[float, float, float]]:
        return [
            by_surface_distance(*masks, r.spacing_mm[1::-1])
            for p, r in maps
            for number in range(len(r.voxels))
            for value in LABELS.values()
            if all((masks := [part.voxels[number] == value for part in (p, r)])[index].any() for index in (0, 1))
        ]

    difference_mm = float(np.abs(np.subtract(ours(), theirs())).max())
    times = interleaved({"surface-distance per slice and label": theirs, "this workflow": ours}, repeats)
    rows = compared(times, "surface-distance per slice and label")
    title = f"Boundaries of {len(cases)} cases, arrays in memory, one process"
    report(title, rows, json_path, boundaries=len(ours()), largest_difference_mm=difference_mm)


def by_surface_distance(prediction: np.ndarray, reference: np.ndarray, spacing_mm: np.ndarray) -> tuple[float, ...]:
    """HD, HD95 and ASSD of two masks by DeepMind's package."""
    found = surface_distance.compute_surface_distances(reference, prediction, spacing_mm)
    lengths = [found[f"surfel_areas_{side}"].sum() for side in ("gt", "pred")]
    return (
        surface_distance.compute_robust_hausdorff(found, 100),
        surface_distance.compute_robust_hausdorff(found, 95),
        np.average(surface_distance.compute_average_surface_distance(found), weights=lengths),
    )


def rule_benchmark(folder: Path, cases: list[str], repeats: int, json_path: str | None) -> None:
    """Compare the rules' work from files to CSV, without imports; then both as jobs, with imports and peak memory."""
    functions = {
        "score": (score_cohort, "evaluation.scores.score_cohort", "scores"),
        "boundaries": (measure_cohort, "evaluation.boundaries.measure_cohort", "boundaries"),
    }

    def keywords(output: str, threads: int) -> dict:
        folders = {name: str(folder / name) for name in ("predictions", "references")}
        tables = {name: str(folder / f"{name}.csv") for name in ("slices", "splits", output)}
        return {**folders, **tables, "cohort": "c", "approach": "a", "threads": threads}

    def work(function, output: str, threads: int) -> None:
        with quiet():
            function(**keywords(output, threads))

    variants = {
        f"{rule}, {threads} process{'es' if threads > 1 else ''}": lambda f=function, o=output, t=threads: work(f, o, t)
        for threads in sorted({1, CORES})
        for rule, (function, _, output) in functions.items()
    }
    times = interleaved(variants, repeats)
    report(f"Rules on {len(cases)} cases, from files to CSV", compared(times, "score, 1 process"), json_path)

    peaks_kib = {}

    def job(rule: str) -> None:
        _, path, output = functions[rule]
        command = [sys.executable, "-c", JOB, path, json.dumps(keywords(output, 1))]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks_kib[rule] = int(printed.split()[-1])

    times = interleaved({rule: lambda r=rule: job(r) for rule in functions}, repeats)
    rows = [row | {"peak_mib": peaks_kib[row["variant"]] / 1024} for row in compared(times, "score")]
    jobs = json_path and str(Path(json_path).with_suffix(".jobs.json"))
    report(f"The same as jobs of 1 process, with imports, {len(cases)} cases", rows, jobs)


CORES = len(os.sched_getaffinity(0))

if __name__ == "__main__":
    options = arguments(__doc__, repeats=5, cases=200, raw="", format="nifti")
    metric_json = options.json and str(Path(options.json).with_suffix(".metric.json"))
    with tempfile.TemporaryDirectory() as scratch:
        if options.raw:
            root = real_cohort(Path(scratch), {"format": options.format, "folder": options.raw}, CORES)
        else:
            root = scored_cohort(Path(scratch), options.cases)
        names = tested_cases(root / "splits.csv")
        metric_benchmark(root, names[:20], options.repeats, metric_json)
        rule_benchmark(root, names, options.repeats, options.json)
