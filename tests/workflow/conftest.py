"""Snakemake, run as a user runs it, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class Workflow:
    """The project's Snakefile in a working directory with an overlay of its configuration.

    Parameters
    ----------
    folder : path
        The working directory.
    overlay : dict
        Laid over `config.yaml`.
    """

    def __init__(self, folder, overlay=None):
        self.folder = Path(folder)
        self.overlay = overlay or {}

    def run(self, *arguments, **changes):
        """Run snakemake; `changes` are laid over the overlay."""
        file = self.folder / "overlay.yaml"
        file.write_text(yaml.safe_dump(merged(self.overlay, changes)))
        command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", self.folder]
        command += ["--configfile", file, "--nocolor", *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    def planned(self, *arguments, **changes):
        """Rule to number of jobs that a dry run lists."""
        answer = self.run("-n", *arguments, **changes)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        text = answer.stdout + answer.stderr
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


@pytest.fixture
def workflow(tmp_path):
    """The default configuration, in an empty folder."""
    return Workflow(tmp_path)
