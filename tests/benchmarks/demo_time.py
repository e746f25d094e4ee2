"""Where the wall time of a finished workflow run went: work, imports, process starts, idle cores.

python tests/benchmarks/demo_time.py --results results/demo --log .snakemake/log --json demo_time.json

Read from Snakemake's log (when each job started and ended, to the second), its benchmarks (how long each script ran)
and each script's imports, timed alone. What a script imports while it works counts as work. The largest log of the
folder is read.
"""

import ast
import os
import re
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pandas as pd

from report import arguments, report

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"
TIMESTAMP = re.compile(r"^\[(\w{3} \w{3} +\d+ [\d:]{8} \d{4})\]$")
STARTED = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$")
FINISHED = re.compile(r"^Finished jobid: (\d+)")
FIELD = re.compile(r"^    (jobid|threads|benchmark): (.+)$")
ELAPSED = re.compile(r"^Elapsed time: (.+)$")


def read_log(file: Path) -> tuple[pd.DataFrame, float, int]:
    """Jobs that finished, seconds of the whole run, and its cores.

    Returns
    -------
    jobs : DataFrame
        rule, threads, benchmark (its path, or nothing), start, end (datetime).
    wall_s : float
        Building of the DAG included.
    cores : int
    """
    jobs, ended, when, current, cores, wall_s = {}, {}, None, None, 1, None
    for line in file.read_text().splitlines():
        if found := TIMESTAMP.match(line):
            when = datetime.strptime(found[1], "%a %b %d %H:%M:%S %Y")
        elif found := ELAPSED.match(line):
            wall_s = pd.Timedelta(found[1]).total_seconds()
        elif found := re.match(r"^Provided cores: (\d+)", line):
            cores = int(found[1])
        elif found := STARTED.match(line):
            current = {"rule": found[1], "start": when, "threads": 1, "benchmark": ""}
        elif (found := FIELD.match(line)) and current is not None:
            if found[1] == "jobid":
                jobs[int(found[2])] = current
            else:
                current[found[1]] = int(found[2]) if found[1] == "threads" else found[2]
        elif found := FINISHED.match(line):
            ended[int(found[1])] = when
    rows = [{**jobs[job], "end": end} for job, end in ended.items() if job in jobs]
    if not rows or wall_s is None:
        raise SystemExit(f"{file}: no run that has ended; name its log, or the folder of it, with --log")
    return pd.DataFrame(rows), wall_s, cores


def script_s(benchmark: str, folder: Path) -> float | None:
    """Seconds that a job's script ran, start of its Python included."""
    file = folder / benchmark if benchmark else None
    return pd.read_csv(file, sep="\t")["s"].iloc[0] if file and file.is_file() else None


def import_s(script: Path, repeats: int) -> float:
    """Seconds that Python takes to start and to import what a script imports, and nothing else."""
    nodes = [node for node in ast.parse(script.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    command = [sys.executable, "-c", "\n".join(map(ast.unparse, nodes))]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    taken = []
    for _ in range(repeats):
        before = time.perf_counter()
        subprocess.run(command, env=environment, check=True)
        taken.append(time.perf_counter() - before)
    return statistics.median(taken)


def profile(jobs: pd.DataFrame, folder: Path, repeats: int) -> pd.DataFrame:
    """Per rule: jobs, and the core seconds of process starts, imports and work.

    A job holds its `threads` cores from its start to its end. Without a benchmark the script is taken to be all of it.
    """
    jobs = jobs.assign(job_s=(jobs["end"] - jobs["start"]).dt.total_seconds())
    jobs["script_s"] = [script_s(benchmark, folder) for benchmark in jobs["benchmark"]]
    jobs["script_s"] = jobs["script_s"].astype(float).fillna(jobs["job_s"]).clip(upper=jobs["job_s"])
    scripts = {rule: SCRIPTS / f"{rule}.py" for rule in jobs["rule"].unique()}
    imports = {rule: import_s(script, repeats) for rule, script in scripts.items() if script.is_file()}
    jobs["import_s"] = jobs["rule"].map(imports).fillna(0.0).clip(upper=jobs["script_s"])
    parts = {
        "process_start_core_s": jobs["job_s"] - jobs["script_s"],
        "import_core_s": jobs["import_s"],
        "work_core_s": jobs["script_s"] - jobs["import_s"],
    }
    weighted = jobs.assign(**{name: part * jobs["threads"] for name, part in parts.items()})
    grouped = weighted.groupby("rule", sort=False)
    table = grouped[list(parts)].sum()
    table.insert(0, "jobs", grouped.size())
    table.insert(1, "import_alone_s", pd.Series(imports))
    return table.sort_values("work_core_s", ascending=False)


def main() -> None:
    """Read a run and report."""
    options = arguments(__doc__.splitlines()[0], repeats=3, results="results/demo", log=".snakemake/log")
    logs = [Path(options.log)] if Path(options.log).is_file() else sorted(Path(options.log).glob("*.snakemake.log"))
    longest = max(logs, key=lambda log: log.stat().st_size)
    jobs, wall_s, cores = read_log(longest)
    folder = _run_folder(Path(options.results), jobs)
    table = profile(jobs, folder, options.repeats)
    total = wall_s * cores
    sums = table[["work_core_s", "import_core_s", "process_start_core_s"]].sum()
    sums["idle_core_s"] = total - sums.sum()
    report(
        f"{len(jobs)} jobs on {cores} cores, {wall_s:.0f} s",
        table.reset_index().to_dict("records"),
        options.json,
        **{name.replace("core_s", "share"): round(value / total, 3) for name, value in sums.items()},
        not_work_share=round(1 - sums["work_core_s"] / total, 3),
    )


def _run_folder(results: Path, jobs: pd.DataFrame) -> Path:
    """The folder that the log's paths start from."""
    for folder in (Path(), *results.resolve().parents):
        if any(benchmark and (folder / benchmark).is_file() for benchmark in jobs["benchmark"]):
            return folder
    raise SystemExit(f"{results}: none of the log's benchmarks lies there; name the results folder of that run")


if __name__ == "__main__":
    main()
