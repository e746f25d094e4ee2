"""A finished run at a tiny size, made once for all tests of the workflow."""

import shutil

import pytest
from shared import made_once
from workflow import TINY, Workflow, make_finished


@pytest.fixture
def workflow(tmp_path):
    """The default configuration, in an empty folder."""
    return Workflow(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """A copy of the project after a complete run at a tiny size; read it only."""
    shared = made_once("finished", make_finished, tmp_path_factory, worker_id)
    return Workflow(shared, TINY, project=shared)


@pytest.fixture(scope="session")
def changeable(finished, tmp_path_factory):
    """A copy of the finished run whose files a test may change; put them back."""
    project = tmp_path_factory.mktemp("reruns") / "project"
    shutil.copytree(finished.folder, project, symlinks=True)
    return Workflow(project, TINY, project)
