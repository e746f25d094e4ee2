"""A call of Snakemake as a person types it: which configuration it leads to, and which jobs it would run."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snakemake.cli import parse_args, parse_config
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from cmrslices.config import Settings, check_config_files, load_settings
from cmrslices.runtime.errors import InputError

PROJECT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Call:
    """A call of Snakemake.

    Attributes
    ----------
    arguments : tuple of str
        As typed.
    settings : Settings
        The configuration that it leads to.
    folder : Path
        Its working directory.
    gpu_jobs : int or None
        Jobs with a GPU at once; None where the call does not limit them.
    """

    arguments: tuple[str, ...]
    settings: Settings
    folder: Path
    gpu_jobs: int | None


def read_call(arguments: Sequence[str]) -> Call:
    """Read Snakemake's arguments as Snakemake does, profiles included.

    Raises
    ------
    InputError
        The configuration has a fault.
    """
    _, parsed = parse_args(list(arguments))
    check_config_files([PROJECT / "config.yaml", *(parsed.configfile or ())])
    config = load_configfile(PROJECT / "config.yaml")
    given: dict = {}  # merged first, as Snakemake does: a row that one file removes and another one sets stays
    for file in parsed.configfile or ():
        update_config(given, load_configfile(file))
    update_config(given, parse_config(parsed.config))
    update_config(config, given)
    gpu = parsed.resources.get("gpu")
    return Call(tuple(arguments), load_settings(config), Path(parsed.directory or "."), gpu.value if gpu else None)


def dry_run(call: Call) -> str:
    """Return what ``snakemake -n`` prints.

    Raises
    ------
    InputError
        Snakemake stops; its message is in the text.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nocolor", *call.arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    printed = answer.stdout + answer.stderr
    if answer.returncode:
        raise InputError(f"snakemake --dry-run failed:\n{printed.strip()}")
    return printed


def read_jobs(printed: str) -> dict[str, int]:
    """Rule to number of jobs in what a dry run printed; without the target ``all``."""
    table = re.search(r"^Job stats:\njob +count\n[- ]+\n(?P<rows>(?:\w+ +\d+\n)+)", printed, re.M)
    rows = (line.split() for line in table["rows"].splitlines()) if table else ()
    return {rule: int(count) for rule, count in rows if rule not in {"all", "total"}}


def read_models(printed: str) -> list[str]:
    """Return the models whose trainings a dry run printed; empty where the call lets Snakemake print no rules."""
    jobs = re.findall(r"^rule train_segmenter:\n((?: +.*\n)+)", printed, re.M)
    return [model for job in jobs for model in re.findall(r"^ +wildcards: model=(\w+)$", job, re.M)]
