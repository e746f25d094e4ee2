"""Final DSC of segmenters trained in reduced precision against float32, over seeds, on a real cohort.

PYTHONPATH=workflow_scripts python tests/benchmarks/seeds.py --raw data/ACDC --format acdc --json seeds.json

Training and prediction run as in the workflow, both in the precision that is compared. What `--folder` holds already is
not computed again: a run that was stopped goes on, and more seeds can be added.
"""

import gc
import os
from pathlib import Path

import pandas as pd
from training import Data, pair

from cmrslices.evaluation.scores import score_cohort
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.runtime.devices import best_device, lowered_dtype
from cmrslices.segmentation.preprocessing import preprocess_cohort
from cmrslices.segmentation.training import train_segmenter
from report import arguments, quiet, report


def scores_of(data: Data, training: dict, seed: int, threads: int) -> pd.DataFrame:
    """Train with a seed, predict the test cases and score them; a row per slice and label."""
    model = f"{training['precision']}_{seed}"
    folder = data.root / "scores" / model
    scores = folder / "scores.csv"
    if not scores.exists():
        folder.mkdir(parents=True, exist_ok=True)
        slices, splits = data.cohort / "slices.csv", data.cohort / "splits.csv"
        with quiet():
            train_segmenter(**data.arguments(model, training, seed, threads))
            gc.collect()  # ends the processes that loaded
            predict_cohort(
                approach={"router": "constant", "model": model},
                weights=[str(data.weights(model))],
                regions=None,
                store=str(data.preprocessed_cohort),
                splits=str(splits),
                mirroring=True,
                precision=training["precision"],
                threads=threads,
                labels=str(folder / "labels"),
                routes=str(folder / "routes.csv"),
            )
            score_cohort(folder / "labels", data.cohort / "labels", slices, splits, scores, "bench", model, threads)
    return pd.read_csv(scores)


def by_region(table: pd.DataFrame) -> pd.Series:
    """Mean DSC % of the slices of each region, and of all."""
    means = table.groupby("region")["dsc"].mean().dropna()
    return 100 * pd.concat([means, pd.Series({"all": table["dsc"].mean()})])


def main() -> None:
    """Train, predict, compare and report."""
    options = arguments(
        __doc__.splitlines()[0],
        repeats=1,
        raw="data/ACDC",
        format="acdc",
        folder="seeds",
        seeds=3,
        train=12,
        validation=2,
        test=6,
        spacing="2,2",
        patch="96,96",
        features="16,32,64,128",
        batch_size=8,
        iterations=300,
        reduced="auto",
        threads=len(os.sched_getaffinity(0)),
    )
    if lowered_dtype(best_device(), options.reduced) is None:
        raise SystemExit("this processor trains in float32 at precision auto; name bf16 with --reduced")
    data = Data(Path(options.folder).resolve())
    plan = {
        "spacing_mm": pair(options.spacing),
        "patch_size_px": pair(options.patch),
        "features": pair(options.features),
    }
    patients = {name: getattr(options, name) for name in ("train", "validation", "test")}
    if not data.store.exists():
        with quiet():
            data.make(options.raw, options.format, patients, plan, options.threads)
            images, splits = data.cohort / "images", data.cohort / "splits.csv"
            preprocess_cohort(data.plans, data.dataset, images, splits, options.threads, data.preprocessed_cohort)
    training = {
        "epochs": 10,
        "iterations_per_epoch": options.iterations // 10,
        "validation_iterations": 1,
        "batch_size": options.batch_size,
        "learning_rate": 0.01,
        "deterministic": False,
    }
    dsc = {
        (precision, seed): by_region(scores_of(data, {**training, "precision": precision}, seed, options.threads))
        for seed in range(options.seeds)
        for precision in ("fp32", options.reduced)
    }
    table = pd.DataFrame(dsc).T
    fp32, reduced = (table.xs(precision) for precision in ("fp32", options.reduced))
    rows = [
        {"precision": precision, "seed": str(seed), **row} for (precision, seed), row in table.to_dict("index").items()
    ]
    summary = {
        "reduced - fp32, mean": (reduced - fp32).mean(),
        "reduced - fp32, SD": (reduced - fp32).std(),
        "fp32, SD over seeds": fp32.std(),
        "reduced, SD over seeds": reduced.std(),
        "standard error of the difference of means": ((fp32.var() + reduced.var()) / options.seeds) ** 0.5,
    }
    rows += [{"precision": name, "seed": "", **values} for name, values in summary.items()]
    report(
        f"DSC % of {patients['test']} patients' slices, {options.iterations} iterations, "
        f"fp32 and {lowered_dtype(best_device(), options.reduced)}",
        rows,
        options.json,
        patients=patients,
        plan=plan,
        batch_size=options.batch_size,
    )


if __name__ == "__main__":
    main()
