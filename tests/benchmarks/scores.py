"""Scores of a cohort against nnU-Net's metric called per slice and label, and the share of reading the files.

PYTHONPATH=workflow_scripts python tests/benchmarks/scores.py --cases 200 --json scores.json
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from nnunetv2.evaluation.evaluate_predictions import compute_metrics, compute_tp_fp_fn_tn, region_or_label_to_mask
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from stacks import scored_cohort

from cmrslices.evaluation.scores import count_pixels, score_cohort, score_slices
from cmrslices.labels import LABELS
from cmrslices.runtime.nifti import read_volume
from report import arguments, compared, interleaved, quiet, report


def metric_per_slice(prediction: np.ndarray, reference: np.ndarray) -> list[float]:
    """DSC of every slice and label by nnU-Net's metric."""
    dsc = []
    for predicted, expected in zip(prediction, reference, strict=True):
        for value in LABELS.values():
            masks = [region_or_label_to_mask(labels, value) for labels in (expected, predicted)]
            tp, fp, fn, _ = compute_tp_fp_fn_tn(*masks)
            dsc.append(2 * tp / (2 * tp + fp + fn) if tp + fn else np.nan)
    return dsc


def metric_per_file(folder: Path, case: str, slices: int, read: SimpleITKIO) -> None:
    """nnU-Net's `compute_metrics`, from files of one slice, as a tool that scores files per slice is called."""
    for number in range(slices):
        files = [str(folder / f"{part}/{case}_{number}.nii.gz") for part in ("references", "predictions")]
        compute_metrics(*files, read, list(LABELS.values()))


def label_maps(folder: Path, case: str) -> list[np.ndarray]:
    """Prediction and reference of a case."""
    paths = (folder / f"{part}/{case}.nii.gz" for part in ("predictions", "references"))
    return [sitk.GetArrayFromImage(sitk.ReadImage(path)) for path in paths]


def metric_benchmark(folder: Path, cases: list[str], repeats: int, json_path: str | None) -> None:
    """Compare the metric alone: label maps as each tool's reader gives them in, DSC of all slices and labels out."""
    arrays = [label_maps(folder, case) for case in cases]
    read = SimpleITKIO()
    as_read = [[read.read_seg(str(path))[0][0] for path in _paths(folder, case)] for case in cases]

    def ours() -> np.ndarray:
        pixels = np.concatenate([count_pixels(*maps) for maps in arrays])
        return score_slices(pixels, np.ones(len(pixels)))["dsc"].to_numpy()

    def theirs() -> np.ndarray:
        return np.concatenate([metric_per_slice(*maps) for maps in as_read])

    np.testing.assert_array_equal(ours(), theirs())
    times = interleaved({"nnU-Net's metric per slice and label": theirs, "this workflow": ours}, repeats)
    rows = compared(times, "nnU-Net's metric per slice and label")
    report(f"Metric of {len(cases)} cases, arrays in memory, one process", rows, json_path, equal=True)


def file_benchmark(folder: Path, cases: list[str], repeats: int, json_path: str | None) -> None:
    """Compare the rule's work from files to CSV with nnU-Net's on files of a case and of a slice, and with reading."""
    read = SimpleITKIO()
    slices = {case: _write_slices(folder, case) for case in cases}

    def ours(threads: int) -> None:
        parts = {name: folder / name for name in ("predictions", "references")}
        tables = {name: folder / f"{name}.csv" for name in ("slices", "splits", "scores")}
        with quiet():
            score_cohort(**parts, **tables, cohort="c", approach="a", threads=threads)

    def slice_files() -> None:
        for case in cases:
            metric_per_file(folder / "slices", case, slices[case], read)

    def case_files() -> None:
        for case in cases:
            metric_per_slice(*(read.read_seg(str(path))[0][0] for path in _paths(folder, case)))

    def reading(read_file: Callable[[Path], object]) -> None:
        for case in cases:
            for path in _paths(folder, case):
                read_file(path)

    variants = {
        "nnU-Net's compute_metrics, a file per slice": slice_files,
        "nnU-Net's reader and metric per slice": case_files,
        "this workflow, 1 process": lambda: ours(1),
        f"this workflow, {CORES} processes": lambda: ours(CORES),
        "reading by SimpleITK, unchecked, 1 process": lambda: reading(sitk.ReadImage),
        "reading the files, 1 process": lambda: reading(read_volume),
    }
    times = interleaved(variants, repeats)
    share = times["reading the files, 1 process"].cpu_s / times["this workflow, 1 process"].cpu_s
    rows = compared(times, "nnU-Net's reader and metric per slice")
    report(f"Scores of {len(cases)} cases from files to CSV", rows, json_path, share_of_reading=round(share, 3))


def imports() -> list[str]:
    """Large packages that the rule's script imports before its first case."""
    heavy = ("torch", "nnunetv2", "scipy", "sklearn", "matplotlib", "pandas", "SimpleITK", "nibabel")
    code = f"import sys, cmrslices.runtime.job, cmrslices.evaluation.scores; print(*set({heavy}) & set(sys.modules))"
    return sorted(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split())


def _paths(folder: Path, case: str) -> list[Path]:
    return [folder / f"{part}/{case}.nii.gz" for part in ("predictions", "references")]


def _write_slices(folder: Path, case: str) -> int:
    for part, labels in zip(("predictions", "references"), label_maps(folder, case), strict=True):
        (folder / "slices" / part).mkdir(parents=True, exist_ok=True)
        for number, label in enumerate(labels):
            path = folder / f"slices/{part}/{case}_{number}.nii.gz"
            sitk.WriteImage(sitk.GetImageFromArray(label[None]), path, useCompression=True)
    return len(labels)


CORES = len(os.sched_getaffinity(0))

if __name__ == "__main__":
    options = arguments(__doc__, repeats=5, cases=200)
    metric_json = options.json and str(Path(options.json).with_suffix(".metric.json"))
    with tempfile.TemporaryDirectory() as scratch:
        root = scored_cohort(Path(scratch), options.cases)
        names = sorted(path.name.removesuffix(".nii.gz") for path in (root / "references").iterdir())
        metric_benchmark(root, names[:20], options.repeats, metric_json)
        file_benchmark(root, names, options.repeats, options.json)
    print("imports of the rule's script:", *imports())
