"""A finished run at a tiny size, made once for all tests of the workflow."""

import fcntl
import shutil
from pathlib import Path

import pytest
from forks import Snakemake
from workflow import TINY, ForkedWorkflow, Workflow, make_finished


@pytest.fixture
def workflow(tmp_path):
    """The default configuration, in an empty folder."""
    return Workflow(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """A copy of the project after a complete run at a tiny size; read it only."""
    base = tmp_path_factory.getbasetemp()
    shared = base / "finished" if worker_id == "master" else base.parent / "finished"
    with Path(f"{shared}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker makes it, the others wait
        if not shared.exists():
            making = shared.with_name("making")
            shutil.rmtree(making, ignore_errors=True)
            make_finished(making)
            making.rename(shared)
    return Workflow(shared, TINY, project=shared)


@pytest.fixture(scope="session")
def changeable(finished, tmp_path_factory):
    """A copy of the finished run whose files a test may change, with quick dry runs; put them back."""
    folder = tmp_path_factory.mktemp("reruns")
    project = folder / "project"
    shutil.copytree(finished.folder, project, symlinks=True)
    snakemake = Snakemake(folder / "answer.txt")
    yield ForkedWorkflow(project, TINY, project, snakemake)
    snakemake.close()
