"""How long the jobs took and how much memory they used, from Snakemake's benchmarks."""

from pathlib import Path

import pandas as pd

from cmrslices.presentation import pages, tables

COLUMNS = ["rule", "job", "wall_s", "cpu_s", "max_rss_mb"]


def write_timings(folder: str | Path, csv: str | Path, html: str | Path) -> None:
    """Write a row per job as CSV, and the sums by rule with all jobs as HTML.

    Parameters
    ----------
    folder : path
        Benchmarks of the results folder: {rule}.tsv or {rule}/{wildcards}.tsv.
    csv, html : path
        To write.
    """
    jobs = read_benchmarks(Path(folder))
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
