"""Time and memory to judge given label maps of a cohort, from the raw files to the report, on two cores.

PYTHONPATH=workflow_scripts python tests/benchmarks/judging.py --raw data/ACDC --format acdc --json judging.json

Without `--raw`, stacks are made (`--patients`). The label maps are made from the references.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml
from stacks import raw_cohort

from cmrslices.demo.predictions import make_demo_predictions
from report import arguments, cpu_s, report

PROJECT = Path(__file__).parents[2]
POLL_S = 0.2
KINDS = ("eroded", "apexless")


def configure(folder: Path, row: dict) -> Path:
    """Write a configuration of one cohort and two approaches."""
    approaches = {name: {"title": name.capitalize(), "predictions": f"given/{name}"} for name in KINDS}
    file = folder / "mine.yaml"
    file.write_text(
        yaml.safe_dump(
            {"results": "results", "cohorts": {"judged": {"title": "Judged", **row}}, "approaches": approaches}
        )
    )
    return file


def run(folder: Path, configuration: Path, *arguments: str) -> dict:
    """Run Snakemake on two cores; wall and CPU time, and the peak of the memory of all its processes together (PSS)."""
    command = [sys.executable, "-m", "snakemake", "-s", str(PROJECT / "Snakefile"), "-d", str(folder), "--cores", "2"]
    command += [
        "--configfile",
        str(PROJECT / "judge.yaml"),
        str(configuration),
        "--quiet",
        "all",
        "--nocolor",
        *arguments,
    ]
    before, peak = (time.perf_counter(), cpu_s()), 0
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)
        while process.poll() is None:
            peak = max(peak, _pss(psutil.Process(process.pid)))
            time.sleep(POLL_S)
    if process.returncode:
        raise RuntimeError((folder / "log.txt").read_text()[-2000:])
    return {"wall_s": time.perf_counter() - before[0], "cpu_s": cpu_s() - before[1], "peak_pss_mib": peak / 2**20}


def _pss(parent: psutil.Process) -> int:
    """Proportional set size: memory that several processes share counts once."""
    total = 0
    for process in [parent, *parent.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def main() -> None:
    """Convert, make label maps, judge them, make the report."""
    options = arguments(__doc__.splitlines()[0], repeats=1, raw="", format="acdc", patients=100)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        raw = {"format": options.format, "folder": str(Path(options.raw).resolve())} if options.raw else None
        configuration = configure(folder, raw or raw_cohort(folder / "raw", options.patients))
        rows = [{"stage": "conversion", **run(folder, configuration, "--", "results/cohorts/judged/cases.csv")}]
        references = folder / "results/cohorts/judged/labels"
        for kind in KINDS:
            make_demo_predictions(references, kind, 0, folder / f"given/{kind}", threads=2)
        rows.append({"stage": "judging", **run(folder, configuration)})
        rows.append({"stage": "report", **run(folder, configuration, "--report", "report.html")})
        stacks = len(list(references.glob("*.nii.gz")))
        report(f"{stacks} stacks, {len(KINDS)} approaches", rows, options.json, load=os.getloadavg())


if __name__ == "__main__":
    main()
