"""Accepted code re-runs nothing; changed settings still do."""

import subprocess
import sys

import pytest
import yaml

MODULE = "workflow_scripts/cmrslices/segmentation/sampling.py"


@pytest.fixture
def updated(changeable):
    """The finished run after an update that changed code of every training of a segmenter."""
    file = changeable.project / MODULE
    text = file.read_text()
    record = changeable.folder / "results/provenance.yaml"
    provenance = record.read_text()
    file.write_text(f"{text}\nCHANGED = 1\n")
    yield changeable
    file.write_text(text)
    record.write_text(provenance)
    (changeable.folder / "results/accepted_code.yaml").unlink(missing_ok=True)


def accept(run, *rules):
    overlay = run.folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(run.overlay))
    command = [sys.executable, run.project / "workflow_scripts/accept_code.py", "--because", "a name", *rules]
    answer = subprocess.run(
        [*command, "--", "--configfile", overlay, "--directory", run.folder], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr


def test_accepted_code_of_a_training_re_runs_nothing(updated):
    assert updated.planned()["train_segmenter"] == 6
    accept(updated, "train_segmenter")
    assert updated.planned() == {}


def test_after_accepted_code_a_changed_setting_still_re_runs_its_jobs(updated):
    accept(updated, "train_segmenter")
    assert updated.planned(segmentation={"epochs": 2})["train_segmenter"] == 6


def test_code_that_changes_once_more_is_not_accepted_with_it(updated):
    accept(updated, "train_segmenter")
    file = updated.project / MODULE
    file.write_text(f"{file.read_text()}\nCHANGED = 2\n")
    assert updated.planned()["train_segmenter"] == 6


def test_the_record_of_the_run_says_what_was_accepted(updated):
    accept(updated, "train_segmenter")
    content = yaml.safe_load((updated.folder / "results/provenance.yaml").read_text())
    assert [row["rule"] for row in content["accepted_code"]] == ["train_segmenter"]
