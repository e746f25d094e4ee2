"""A job that would compute with something else than planned stops, and says what differs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cmrslices.runtime import code_digest, job_plan
from cmrslices.runtime.errors import InputError

INPUTS = {"store": "results/store", "initial": []}
PARAMETERS = {"training": {"epochs": 3, "learning_rate": 0.01}, "seed": 1, "code": "0201"}


@pytest.fixture
def script(tmp_path):
    file = tmp_path / "train_segmenter.py"
    file.write_text("print('training')\n")
    return file


@pytest.fixture
def planned(tmp_path, monkeypatch, script):
    """A run was started with one job; gives the check of that job under other circumstances."""
    monkeypatch.setenv(job_plan.VARIABLE, "")
    job = SimpleNamespace(
        rule=SimpleNamespace(name="train_segmenter"),
        wildcards_dict={"model": "apex"},
        input=INPUTS,
        params=PARAMETERS,
    )
    code_digest.forget()
    job_plan.write_plan(tmp_path / "plans", [job], {"train_segmenter": code_digest.code_digest(script)})

    def check(inputs=INPUTS, **changes):
        code_digest.forget()
        job_plan.check_as_planned("train_segmenter", {"model": "apex"}, inputs, PARAMETERS | changes, script)

    return check


def test_a_job_as_planned_goes_on(planned):
    planned()


def test_a_changed_parameter_stops_the_job_and_is_named_with_both_values(planned):
    with pytest.raises(InputError, match=r"train_segmenter model=apex: the configuration was changed .* 0\.01.* 0\.5"):
        planned(training={"epochs": 3, "learning_rate": 0.5})


def test_only_what_differs_is_named(planned):
    with pytest.raises(InputError, match=r"was planned: training\.learning_rate was 0\.01 and is 0\.5; put it back"):
        planned(training={"epochs": 3, "learning_rate": 0.5})


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"epochs": 3, "learning_rate": 0.01, "momentum": 0.9}, r"training\.momentum was not given and is 0\.9"),
        ({"epochs": 3}, r"training\.learning_rate was 0\.01 and is not given"),
    ],
    ids=["added", "removed"],
)
def test_a_key_that_was_added_or_removed_stops_the_job(planned, training, told):
    with pytest.raises(InputError, match=told):
        planned(training=training)


@pytest.mark.parametrize(
    ("initial", "told"),
    [("imagenet/resnet18.pth", "'imagenet/resnet18.pth'"), (["imagenet/resnet18.pth"], r"\['imagenet/resnet18.pth'\]")],
    ids=["one file", "several files"],
)
def test_a_key_that_chooses_another_input_stops_the_job(planned, initial, told):
    with pytest.raises(InputError, match=rf"was planned: input\.initial was \[\] and is {told}"):
        planned(inputs=INPUTS | {"initial": initial})


def test_a_long_value_is_named_and_not_shown(planned):
    with pytest.raises(InputError, match="was planned: seed has changed; put it back"):
        planned(seed=[f"patient {number}" for number in range(100)])


def test_changed_code_stops_the_job(planned, script):
    script.write_text("print('something else')\n")
    with pytest.raises(InputError, match=r"the code of workflow_scripts/train_segmenter\.py.* was changed after"):
        planned()


def test_a_comment_in_the_code_stops_nothing(planned, script):
    script.write_text(f"# Why.\n{script.read_text()}")
    planned()


def test_a_job_without_a_plan_goes_on(planned, monkeypatch, script):
    monkeypatch.delenv(job_plan.VARIABLE)
    script.write_text("print('something else')\n")
    planned(seed=2)


def test_a_job_that_its_run_did_not_plan_goes_on(planned, script):
    job_plan.check_as_planned("train_segmenter", {"model": "base"}, INPUTS, PARAMETERS | {"seed": 2}, script)


def test_old_plans_are_removed(planned, tmp_path, monkeypatch):
    monkeypatch.setattr(job_plan, "PLANS_KEPT", 3)
    for _ in range(5):
        job_plan.write_plan(tmp_path / "plans", [], {})
    kept = sorted((tmp_path / "plans").iterdir())
    assert len(kept) == 3
    assert Path(job_plan.os.environ[job_plan.VARIABLE]) == kept[-1]
