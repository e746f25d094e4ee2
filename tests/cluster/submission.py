"""`snakemake --profile slurm` as a user types it, in a working directory of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import yaml
from cluster import PATIENCE_S, Cluster, wait_for
from places import ROOT

FAST_POLL = Path(__file__).parent / "fast_poll"


class Submission:
    """A Snakemake of the project in a working directory; at most one at a time, but for `refused`.

    Parameters
    ----------
    cluster : Cluster
        Takes the jobs.
    folder : path
        The working directory.
    overlay : dict
        Laid over `config.yaml`.
    project : path
        Folder of the Snakefile; calls are made from there.
    """

    def __init__(self, cluster: Cluster, folder: Path, overlay: dict, project: Path = ROOT) -> None:
        self.folder = Path(folder)
        self.project = Path(project)
        self.overlay = self.folder / "overlay.yaml"
        self.overlay.write_text(yaml.safe_dump(overlay))
        self.terminal = self.folder / "terminal.txt"
        self.environment = {**cluster.environment, "PYTHONPATH": str(FAST_POLL)}
        self.environment["CMRSLICES_DEVICE"] = "cpu"  # the GPUs of this cluster are device files of another kind
        self.process = None

    def start(self, *arguments: str) -> None:
        """Start the main process; what it says goes to `terminal`."""
        with self.terminal.open("wb") as terminal:
            self.process = subprocess.Popen(
                self._command("--profile", "slurm", *arguments),
                **{"cwd": self.project, "env": self.environment, "stdout": terminal, "stderr": terminal},
                start_new_session=True,
            )

    def wait(self) -> str:
        """Wait for the end of a run that must succeed; return what it said."""
        status = self.process.wait(PATIENCE_S)
        assert status == 0, self.said[-5000:]
        return self.said

    def wait_for_failure(self) -> str:
        """Wait for the end of a run that must fail; return what it said."""
        assert self.process.wait(PATIENCE_S) != 0, self.said[-5000:]
        return self.said

    def run(self, *arguments: str) -> str:
        """Start, and wait for success."""
        self.start(*arguments)
        return self.wait()

    def answer(self, *arguments: str) -> subprocess.CompletedProcess:
        """A Snakemake beside the main process, such as a dry run; with both outputs in `stdout`."""
        return subprocess.run(
            self._command(*arguments),
            **{"cwd": self.project, "env": self.environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
            text=True,
            timeout=PATIENCE_S,
        )

    def kill(self) -> None:
        """End the main process at once, as a lost login node does."""
        if self.process and not self.ended:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    @property
    def said(self) -> str:
        """What the main process has said so far."""
        return self.terminal.read_text()

    @property
    def submitted(self) -> list[str]:
        """SLURM's ids of the jobs that the main process has submitted."""
        return re.findall(r"submitted with SLURM jobid (\d+)", self.said)

    def text(self, file: str) -> str:
        """Content of a file of the working directory, if it is there."""
        path = self.folder / file
        return path.read_text() if path.exists() else ""

    def wait_for_words(self, words: str, file: str = "terminal.txt") -> None:
        """Wait until a file, by default what the main process says, holds the words."""
        wait_for(lambda: words in self.text(file) or self.ended, f"{words!r} in {file}")
        assert words in self.text(file), self.said[-5000:]

    @property
    def ended(self) -> bool:
        """Whether the main process has ended."""
        return self.process.poll() is not None

    def _command(self, *arguments: str) -> list[str]:
        command = [sys.executable, "-m", "snakemake", "--configfile", str(self.overlay), "-d", str(self.folder)]
        # A rule asks for the threads that a network of a usual size needs. Here they would only wait for each other.
        return [*command, "--nocolor", "--latency-wait", "10", "--max-threads", "1", *arguments]
