"""A model that starts from another one: the jobs of a real run, and what a change of either model re-runs."""

import shutil

import pytest
from workflow import TINY, Workflow, merged

MODELS = "results/nnunet/results/Dataset001_nhs"
WEIGHTS = MODELS + "/SliceTrainer__nnUNetPlans__{model}/fold_0/checkpoint_final.pth"
STARTED = WEIGHTS.format(model="apex_from_baseline")
ROW = {"sampling": "region", "region": "apex", "starts_from": "baseline", "epochs": 1, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def controlled(finished, tmp_path_factory):
    """A finished run in which one more model was trained, which starts from the baseline."""
    folder = tmp_path_factory.mktemp("controlled") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    workflow = Workflow(folder, merged(TINY, {"models": {"apex_from_baseline": ROW}}), project=folder)
    assert workflow.planned(STARTED) == {"train_segmenter": 1}
    answer = workflow.run("--cores", "1", STARTED)
    assert answer.returncode == 0, answer.stderr[-5000:]
    return workflow


def test_the_log_names_the_model_that_it_started_from(controlled):
    logs = (controlled.folder / STARTED).parent.glob("training_log_*.txt")
    assert any("Starting from the weights of model 'baseline'" in log.read_text() for log in logs)


def test_what_was_trained_is_up_to_date(controlled):
    assert controlled.planned(STARTED) == {}


@pytest.mark.parametrize(
    "row",
    [{"epochs": 2}, {"learning_rate": 0.002}, {"seed": 7}, {"starts_from": "sampling_low"}, {"starts_from": None}],
    ids=lambda row: "-".join(row),
)
def test_a_change_of_its_own_row_re_runs_it_without_the_model_that_it_starts_from(controlled, row):
    assert controlled.planned(STARTED, models={"apex_from_baseline": row}) == {"train_segmenter": 1}


@pytest.mark.parametrize("row", [{"epochs": 2}, {"learning_rate": 0.002}, {"seed": 7}], ids=lambda row: "-".join(row))
def test_a_change_of_the_model_that_it_starts_from_re_runs_both(controlled, row):
    assert controlled.planned(STARTED, models={"baseline": row}) == {"train_segmenter": 2}


def test_a_change_of_another_model_re_runs_neither(controlled):
    assert controlled.planned(STARTED, models={"sampling_low": {"epochs": 2}}) == {}


def test_its_own_epochs_do_not_depend_on_those_of_all(controlled):
    baseline = WEIGHTS.format(model="baseline")
    assert controlled.planned(baseline, segmentation={"epochs": 2}, models={"baseline": {"epochs": 1}}) == {}
