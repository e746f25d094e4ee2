"""Snakemake, run as a user runs it: a workflow in a folder of its own, and its tiny configuration."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from forks import forked_snakemake
from places import ROOT

PROJECT = ("Snakefile", "config.yaml", "rules", "envs", "report", "resources", "workflow_scripts", "pyproject.toml")
PROFILES = ("profiles", "slurm", "demo", "public")

TINY = {
    "results": "results",
    "cohorts": {
        "nhs": {"folder": "raw/nhs"},
        "mnms": {"folder": "raw/mnms"},
        "acdc": {"folder": "raw/acdc"},
    },
    "splits": {"train": 0.5, "validation": 0.25, "test": 0.25},
    "segmentation": {
        "epochs": 1,
        "iterations_per_epoch": 2,
        "validation_iterations": 1,
        "batch_size": 2,
        "mirroring": False,
        "plan": {"spacing_mm": [4.0, 4.0], "patch_size_px": [32, 32], "features": [4, 8, 8]},
    },
    "classification": {
        "networks": {
            "alexnet": None,
            "densenet121": None,
            "mobilenet_v2": None,
            "resnet18": None,
            "vgg11_bn": None,
        },
        "epochs": 1,
        "initial_weights": "none",
        "image_size_px": 32,
        "field_of_view_mm": 200.0,
    },
}
UNTRAINED = {
    "convert_cohort": 1,
    "split_cohort": 1,
    "assign_regions": 1,
    "score": 2,
    "boundaries": 2,
    "table1": 1,
    "table3": 1,
    "boundary_table": 1,
    "figure2": 1,
    "cardiac_function": 1,
    "bland_altman": 1,
    "answers": 1,
    "forest": 1,
    "provenance": 1,
    "cohort_summary": 1,
    "example_slices": 1,
    "worst_cases": 1,
}
"""Rule to number of jobs, beside those that make label maps, of one cohort and two approaches that are not trained."""
TWO_JOBS = ("--cores", "2", "--max-threads", "1")
"""Options of a fast run at this size, at which a second thread of a job only waits for the first."""
DEMO = {"folder": "raw", "patients": {"nhs": 4, "mnms": 2, "acdc": 2}}


def snakemake(folder, *arguments):
    """What Snakemake answers to arguments that are typed in a folder."""
    return forked_snakemake()(folder, arguments)


def unforked_snakemake(folder, *arguments):
    """The same in a process that imports Snakemake anew."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


class Workflow:
    """A project's Snakefile in a working directory, with an overlay of its configuration.

    Parameters
    ----------
    folder : path
        The working directory.
    overlay : dict
        Laid over `config.yaml`.
    project : path
        Folder of the Snakefile; calls are made from there.
    """

    def __init__(self, folder, overlay=None, project=ROOT):
        self.folder = Path(folder)
        self.overlay = overlay or {}
        self.project = Path(project)

    def run(self, *arguments, **changes):
        """Run snakemake; `changes` are laid over the overlay."""
        return snakemake(self.project, *self._arguments(arguments, changes))

    def planned(self, *arguments, **changes):
        """Rule to number of jobs that a dry run lists."""
        return job_counts(self.run("-n", *arguments, **changes))

    def _arguments(self, arguments, changes):
        file = self.folder / "overlay.yaml"
        file.write_text(yaml.safe_dump(merged(self.overlay, changes)))
        return ["-s", self.project / "Snakefile", "-d", self.folder, "--configfile", file, "--nocolor", *arguments]


AGGREGATION = (
    *("select_classifier", "calibrate", "reliability", "readings", "table1", "table3", "figure2"),
    *("boundary_table", "cardiac_function", "budget"),
)


def aggregate_again(published, folder, project=ROOT):
    """Make the tables and figures of a published run again in a folder, from its slice scores and boundaries."""
    for part in ("scores", "classifiers", "cohorts", "boundaries", "regions", "heads"):
        if (published / part).exists():  # regions and heads only where an approach reads them
            shutil.copytree(published / part, folder / part)
    for name in ("selected", "calibration"):
        (folder / f"classifiers/{name}.yaml").unlink()
    (folder / "report").mkdir()
    shutil.copy(published / "report/segmenter_curves.csv", folder / "report")
    configuration = ("--configfile", published / "config.yaml", "--config", "results=.")
    rules = ("--no-hooks", "--allowed-rules", *AGGREGATION, "--", *AGGREGATION)
    answer = Workflow(folder, project=project).run("--cores", "1", *configuration, *rules)
    assert answer.returncode == 0, answer.stderr


def job_counts(dry):
    """Rule to number of jobs in what a dry run printed."""
    text = dry.stdout + dry.stderr
    assert dry.returncode == 0, text
    if "Nothing to be done" in text:
        return {}
    table = text.split("Job stats:")[-1].split("total")[0]
    rows = [line.split() for line in table.splitlines() if len(line.split()) == 2]
    return {name: int(count) for name, count in rows if count.isdigit() and name != "all"}


def merged(base, top):
    """A configuration with another laid over it, as Snakemake does."""
    result = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def copy_project(folder):
    """Copy what a run of the project needs."""
    ignored = shutil.ignore_patterns("__pycache__", ".snakemake")
    folder.mkdir(exist_ok=True)
    for name in (*PROJECT, *PROFILES):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, folder)


def make_finished(folder):
    """Copy the project and run it there: first the raw cohorts, then everything on them."""
    copy_project(folder)
    workflow = Workflow(folder, TINY, project=folder)
    raw = workflow.run(*TWO_JOBS, *(f"raw/{cohort}" for cohort in DEMO["patients"]), demo=DEMO)
    assert raw.returncode == 0, raw.stderr[-5000:]
    answer = workflow.run(*TWO_JOBS)
    assert answer.returncode == 0, answer.stderr[-5000:]
