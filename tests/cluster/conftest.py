"""A SLURM for the tests of a file."""

import fcntl
import tempfile
from pathlib import Path

import pytest
from cluster import Cluster, why_not


def pytest_collection_modifyitems(items):
    """One file of cluster tests comes first and one last, so that no process waits for the only cluster meanwhile."""
    items.sort(key=lambda item: item.path.name == "test_edits.py")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with (Path(tempfile.gettempdir()) / "test_slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one cluster at a time on a machine
        if reason := why_not():
            pytest.skip(reason)
        cluster = Cluster(tmp_path_factory.mktemp("slurm"))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def idle_cluster(cluster):
    yield cluster
    cluster.cancel_all()
    cluster.run("scontrol", "update", f"NodeName={cluster.node}", "State=RESUME")
