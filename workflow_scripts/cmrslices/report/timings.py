"""How long the jobs took and how much memory they used, from Snakemake's benchmarks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.presentation import pages, tables

COLUMNS = ["rule", "job", "wall_s", "cpu_s", "max_rss_mb"]


def write_timings(
    folder: str | Path, segmenters: str | Path, histories: Mapping[str, str | Path], csv: str | Path, html: str | Path
) -> None:
    """Write a row per job as CSV, and the sums by rule with all jobs as HTML.

    Parameters
    ----------
    folder : path
        Benchmarks of the results folder: {rule}.tsv or {rule}/{wildcards}.tsv.
    segmenters : path
        segmenter_curves.csv, with the seconds of every epoch of every model.
    histories : dict of str to path
        Classifier to its history.csv, with the seconds of every epoch.
    csv, html : path
        To write.
    """
    jobs = with_training_time(read_benchmarks(Path(folder)), training_seconds(segmenters, histories))
    jobs.to_csv(csv, index=False)
    text = pages.page(
        "Timings",
        pages.heading("By rule"),
        pages.table(_rule_cells(sum_by_rule(jobs))),
        pages.heading("Every job, the longest first"),
        pages.table(_job_cells(jobs.sort_values("wall_s", ascending=False))),
    )
    Path(html).write_text(text)


def read_benchmarks(folder: Path) -> pd.DataFrame:
    """Every job's last run.

    Returns
    -------
    DataFrame
        rule, job (its wildcards, empty for a rule without), wall_s, cpu_s, max_rss_mb (MiB; NaN where a job was too
        short to be measured).
    """
    rows = []
    for file in sorted(folder.rglob("*.tsv")):
        rule, _, job = str(file.relative_to(folder).with_suffix("")).partition("/")
        last = pd.read_csv(file, sep="\t", na_values="-").iloc[-1]
        rows.append((rule, job, last["s"], last["cpu_time"], last["max_rss"]))
    return pd.DataFrame(rows, columns=COLUMNS)


def training_seconds(segmenters: str | Path, histories: Mapping[str, str | Path]) -> dict[tuple[str, str], float]:
    """Rule and name of every training to the seconds that its epochs took, in all of its tries together."""
    models = pd.read_csv(segmenters).groupby("model")["seconds"].sum()
    found = {("train_segmenter", str(model)): float(seconds) for model, seconds in models.items()}
    for network, history in histories.items():
        found["train_classifier", network] = float(pd.read_csv(history)["seconds"].sum())
    return found


def with_training_time(jobs: pd.DataFrame, seconds: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """The jobs, where a training took at least as long as its epochs.

    Snakemake measures the last try of a job. A training that went on from a checkpoint has more epochs than those of
    its last try, and a job that found its training finished has measured nothing.

    Parameters
    ----------
    jobs : DataFrame
        As `read_benchmarks` gives them.
    seconds : mapping of (str, str) to float
        As `training_seconds` gives them.
    """
    epochs = [seconds.get((rule, job), 0.0) for rule, job in zip(jobs["rule"], jobs["job"], strict=True)]
    return jobs.assign(wall_s=np.maximum(jobs["wall_s"], epochs))


def sum_by_rule(jobs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, sums of wall and CPU time, the longest job, and the largest memory of each rule; the longest rule first."""
    groups = jobs.groupby("rule")
    table = groups.agg(
        jobs=("job", "size"),
        wall_s=("wall_s", "sum"),
        cpu_s=("cpu_s", "sum"),
        longest_s=("wall_s", "max"),
        max_rss_mb=("max_rss_mb", "max"),
    )
    return table.sort_values("wall_s", ascending=False).reset_index()


def duration(seconds: float) -> str:
    """``h:mm:ss``; empty where it is unknown."""
    if pd.isna(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _rule_cells(rules: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Rule": rules["rule"],
            "Jobs": rules["jobs"].astype(str),
            "Wall time, all jobs": rules["wall_s"].map(duration),
            "CPU time, all jobs": rules["cpu_s"].map(duration),
            "Longest job": rules["longest_s"].map(duration),
            "Largest memory (GiB)": _gibibytes(rules["max_rss_mb"]),
        }
    )


def _job_cells(jobs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Rule": jobs["rule"],
            "Job": jobs["job"].str.replace("/", ", "),
            "Wall time": jobs["wall_s"].map(duration),
            "CPU time": jobs["cpu_s"].map(duration),
            "Memory (GiB)": _gibibytes(jobs["max_rss_mb"]),
        }
    )


def _gibibytes(mebibytes: pd.Series) -> pd.Series:
    return (mebibytes / 1024).map(tables.number)
