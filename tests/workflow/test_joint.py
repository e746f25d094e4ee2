"""A joint network as a model of its own: the jobs of a real run, and what its keys re-run."""

import shutil

import pandas as pd
import pytest
from workflow import TINY, Workflow, merged

SCORES = "results/scores/joint/acdc.csv"
BASELINE = "results/nnunet/results/Dataset001_nhs/SliceTrainer__nnUNetPlans__baseline/fold_0/checkpoint_final.pth"
JOBS = {"train_segmenter": 1, "predict": 1, "score": 1}
ROWS = {
    "models": {"joint": {"sampling": "uniform", "network": "joint"}},
    "approaches": {"joint": {"title": "Joint", "router": "constant", "model": "joint"}},
}


@pytest.fixture(scope="module")
def joint(finished, tmp_path_factory):
    """A finished run to which a joint network was added."""
    folder = tmp_path_factory.mktemp("joint") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    workflow = Workflow(folder, merged(TINY, ROWS), project=folder)
    assert workflow.planned(SCORES) == JOBS
    answer = workflow.run("--cores", "1", SCORES)
    assert answer.returncode == 0, answer.stderr[-5000:]
    return workflow


def test_it_segments_every_slice(joint):
    routes = pd.read_csv(joint.folder / "results/predictions/joint/acdc/routes.csv")
    reference = pd.read_csv(joint.folder / "results/predictions/baseline/acdc/routes.csv")
    assert set(routes["model"]) == {"joint"}
    pd.testing.assert_frame_equal(routes[["case", "slice"]], reference[["case", "slice"]])


def test_what_was_made_is_up_to_date(joint):
    assert joint.planned(SCORES) == {}


@pytest.mark.parametrize(
    "keys", [{"loss_weight": 1.0}, {"label_smoothing": 0.0}, {"learning_rate": 0.001}], ids=lambda keys: "-".join(keys)
)
def test_a_key_of_the_region_head_re_runs_joint_networks_alone(joint, keys):
    assert joint.planned(SCORES, segmentation={"joint": keys}) == JOBS
    assert joint.planned(BASELINE, segmentation={"joint": keys}) == {}


def test_another_network_re_runs_the_model(joint):
    assert joint.planned(SCORES, models={"joint": {"network": None}}) == JOBS
