"""Time of ``snakemake -n`` on the paper's workflow against an empty Snakefile, by the number of patients.

python tests/benchmarks/dry_run.py --repeats 15 --json dry_run.json
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from importlib import metadata
from pathlib import Path

import yaml

from report import arguments, interleaved, report

ROOT = Path(__file__).parents[2]
GOAL = 1.5


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__.splitlines()[0], repeats=15, patients=(40, 5000))
    with tempfile.TemporaryDirectory() as folder:
        calls = {name: partial(dry_run, *call) for name, call in prepare(Path(folder), options.patients).items()}
        times = interleaved(calls, options.repeats)
    empty = next(iter(times.values()))
    rows = [
        {
            "snakemake -n": name,
            "cpu_s": own.cpu_s,
            "cpu_ratio": own.cpu_s / empty.cpu_s,
            "wall_s": own.wall_s,
            "wall_ratio": own.wall_s / empty.wall_s,
            "repeats": own.repeats,
        }
        for name, own in times.items()
    ]
    report("Dry run of the paper's DAG", rows, options.json, goal_ratio=GOAL, snakemake=metadata.version("snakemake"))


def prepare(folder: Path, patients: tuple[int, ...]) -> dict[str, tuple[Path, Path]]:
    """Case to Snakefile and working directory, the empty Snakefile first."""
    empty = folder / "empty/Snakefile"
    empty.parent.mkdir()
    empty.touch()
    no_data = folder / "no data"
    no_data.mkdir()
    cases = {"empty Snakefile": (empty, empty.parent), "paper, no data": (ROOT / "Snakefile", no_data)}
    for number in patients:
        raw_cohorts(folder / str(number), number)
        cases[f"paper, {number} patients a cohort"] = (ROOT / "Snakefile", folder / str(number))
    return cases


def raw_cohorts(folder: Path, patients: int) -> None:
    """Make the raw folders of `config.yaml` with all that a dry run looks at: folders and tables, no image."""
    cohorts = yaml.safe_load((ROOT / "config.yaml").read_text())["cohorts"]
    nhs, mnms, acdc = (folder / cohorts[name]["folder"] for name in ("nhs", "mnms", "acdc"))
    for n in range(patients):
        (nhs / f"P{n:05}").mkdir(parents=True)
        (mnms / f"Testing/A{n:05}").mkdir(parents=True)
        (acdc / f"training/patient{n:05}").mkdir(parents=True)
    codes = [f"A{n:05},0,9" for n in range(patients)]
    (mnms / "information.csv").write_text("\n".join(["External code,ED,ES", *codes]))


def dry_run(snakefile: Path, folder: Path) -> None:
    """Run ``snakemake -n`` as in a terminal: with compiled modules kept, here apart from the project."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder.parent / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "snakemake", "-n", "-s", snakefile, "-d", folder]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(answer.stdout + answer.stderr)


if __name__ == "__main__":
    main()
