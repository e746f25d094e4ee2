"""A SLURM for each process that runs these tests, and trainings that are disturbed on it."""

import shutil

import pytest
from cluster import Cluster, why_not
from shared import made_once
from submission import Submission
from trainings import CLASSIFIER, ONE_COHORT, TRAINING, WEIGHTS
from workflow import TWO_JOBS, Workflow


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A SLURM that no other process uses, so that a test may stop its node or its controller."""
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


@pytest.fixture(scope="session")
def undisturbed(cluster, tmp_path_factory, worker_id):
    """A working directory with a segmenter and a classifier whose trainings nothing disturbed; read it only."""

    def make(folder):
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CMRSLICES_DEVICE", "cpu")  # as on the cluster
            answer = Workflow(folder, TRAINING).run(*TWO_JOBS, WEIGHTS, CLASSIFIER)
        assert answer.returncode == 0, answer.stderr[-5000:]

    return made_once("undisturbed", make, tmp_path_factory, worker_id)


@pytest.fixture
def training(idle_cluster, undisturbed, tmp_path):
    """The same working directory before the trainings."""
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    for made in ("nnunet/results", "classifiers", "logs/train_segmenter", "logs/train_classifier"):
        shutil.rmtree(folder / "results" / made)
    submission = Submission(idle_cluster, folder, TRAINING)
    yield submission
    submission.kill()


@pytest.fixture
def short_trainings(idle_cluster, training):
    """The same with trainings of a few seconds."""
    return Submission(idle_cluster, training.folder, ONE_COHORT)
