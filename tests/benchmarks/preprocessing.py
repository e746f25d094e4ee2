"""Conversion against plain reading, and planning with preprocessing against nnU-Net's command, on the same files.

PYTHONPATH=workflow_scripts python tests/benchmarks/preprocessing.py --patients 40 --json preprocessing.json
PYTHONPATH=workflow_scripts python tests/benchmarks/preprocessing.py --raw data/ACDC --format acdc
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from functools import partial
from pathlib import Path

import blosc2
import pandas as pd
import SimpleITK as sitk
from stacks import raw_cohort

from cmrslices.cohorts.convert.cohort import convert_cohort, find_patients
from cmrslices.cohorts.convert.raw import source_files
from cmrslices.runtime.parallel import map_progress
from report import arguments, compared, interleaved, quiet, report

DATASET = "Dataset001_bench"
UNCHANGED = {"spacing_mm": None, "patch_size_px": None, "features": None}
STOCK = "nnUNetv2_plan_and_preprocess"


def convert(row: dict, out: Path, threads: int) -> None:
    """Convert a cohort as the rule does, from nothing."""
    shutil.rmtree(out, ignore_errors=True)
    with quiet():
        parts = (out / name for name in ("images", "labels", "cases.csv", "finished"))
        convert_cohort("bench", row, *parts, "code", threads)


def read_plainly(paths: list[Path], threads: int) -> None:
    """Decompress every file once."""
    with quiet():
        deque(map_progress(_read, paths, threads, unit="file"), maxlen=0)


def prepare(cohort: Path, root: Path, threads: int) -> None:
    """The rules plan_segmentation and preprocess_segmentation, each in its own Python as in the workflow."""
    folder = root / f"nnunet/preprocessed/{DATASET}"
    shutil.rmtree(root / "nnunet", ignore_errors=True)
    raw, plans = f"{root}/nnunet/raw/{DATASET}/dataset.json", f"{folder}/nnUNetPlans.json"
    common = {"raw": raw, "plans": plans, "threads": threads}
    inputs = {"images": f"{cohort}/images", "labels": f"{cohort}/labels", "splits": f"{cohort}/splits.csv"}
    _python("planning.plan_segmentation", **inputs, **common, plan=UNCHANGED, folds=f"{folder}/splits_final.json")
    _python("preprocessing.preprocess_segmentation", **common, store=f"{folder}/store")


def prepare_stock(raw: Path, root: Path, threads: int) -> None:
    """nnU-Net's command on the same data set, without its check of the data set."""
    shutil.rmtree(root / "preprocessed", ignore_errors=True)
    folders = {f"nnUNet_{name}": str(root / name) for name in ("preprocessed", "results")}
    command = [shutil.which(STOCK) or str(Path(sys.executable).with_name(STOCK)), "-d", "1", "-c", "2d"]
    command += ["-npfp", str(threads), "-np", str(threads)]
    environment = {**os.environ, **folders, "nnUNet_raw": str(raw.parent)}
    _run(command, environment)


def same_store(ours: Path, stock: Path) -> bool:
    """Whether both stores hold the same arrays and properties."""
    stores = ours / f"nnunet/preprocessed/{DATASET}/store/2d", stock / f"preprocessed/{DATASET}/nnUNetPlans_2d"
    one, other = (
        {path.name: blosc2.open(str(path), mode="r")[:].tobytes() for path in store.glob("*.b2nd")}
        | {path.name: path.read_bytes() for path in store.glob("*.pkl")}
        for store in stores
    )
    return one == other


def _python(function: str, **keywords: object) -> None:
    module, name = function.split(".")
    code = f"import json, sys; from cmrslices.segmentation.{module} import {name} as f; f(**json.loads(sys.argv[1]))"
    _run([sys.executable, "-c", code, json.dumps(keywords)])


def _run(command: list[str], environment: dict | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])


def _read(path: Path) -> None:
    sitk.ReadImage(path)


def main() -> None:
    """Measure conversion, then planning and preprocessing."""
    options = arguments(__doc__, repeats=3, patients=40, raw="", format="nifti", processes=len(os.sched_getaffinity(0)))
    cores = options.processes
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        row = {"format": options.format, "folder": options.raw}
        if not options.raw:
            row = raw_cohort(root / "raw", options.patients)
        files = [path for patient in find_patients("bench", row) for path in source_files(patient)]
        files = [path for path in files if path.name.endswith(".nii.gz")]
        cohort = root / "cohort"
        variants = {
            "SimpleITK reading": partial(read_plainly, files, cores),
            "this workflow's conversion": partial(convert, row, cohort, cores),
        }
        times = interleaved(variants, options.repeats)
        title = f"Conversion of {len(files)} files, {cores} processes"
        converting = options.json and str(Path(options.json).with_suffix(".conversion.json"))
        report(title, compared(times, "SimpleITK reading"), converting)

        cases = sorted(path.name.removesuffix(".nii.gz") for path in (cohort / "labels").iterdir())
        split = ["validation" if number % 5 == 4 else "train" for number in range(len(cases))]
        pd.DataFrame({"case": cases, "split": split}).to_csv(cohort / "splits.csv", index=False)
        converted = sorted(cohort.glob("*/*.nii.gz"))
        prepare(cohort, root / "ours", cores)
        raw = root / f"stock/raw/{DATASET}"
        shutil.copytree(root / f"ours/nnunet/raw/{DATASET}", raw)
        _make_absolute(raw / "dataset.json", root / f"ours/nnunet/raw/{DATASET}")
        variants = {
            STOCK: partial(prepare_stock, raw, root / "stock", cores),
            "this workflow": partial(prepare, cohort, root / "ours", cores),
            "SimpleITK reading, twice": lambda: read_plainly(converted * 2, cores),
        }
        times = interleaved(variants, options.repeats, warm_ups=0)
        title = f"Planning and preprocessing of {len(cases)} cases, {cores} processes"
        report(title, compared(times, STOCK), options.json, same_store=same_store(root / "ours", root / "stock"))


def _make_absolute(dataset: Path, folder: Path) -> None:
    content = json.loads(dataset.read_text())
    for files in content["dataset"].values():
        files["images"] = [str((folder / image).resolve()) for image in files["images"]]
        files["label"] = str((folder / files["label"]).resolve())
    dataset.write_text(json.dumps(content))


if __name__ == "__main__":
    main()
