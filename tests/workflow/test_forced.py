"""Forcing a training trains anew; code that was edited during a run stops the jobs that would use it."""

import shutil
import subprocess
import sys
import time

import pytest
from workflow import TINY, Workflow

WEIGHTS = "results/nnunet/results/Dataset001_nhs/SliceTrainer__nnUNetPlans__apex/fold_0/checkpoint_final.pth"
LOG = "results/logs/train_segmenter/apex.log"


@pytest.fixture
def workflow(finished, tmp_path):
    """A copy of the finished run."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Workflow(tmp_path / "project", TINY, project=tmp_path / "project")


def test_a_forced_training_trains_anew_and_says_so(workflow):
    answer = workflow.run("--cores", "1", "--forcerun", "train_segmenter", "--", WEIGHTS)
    assert answer.returncode == 0, answer.stderr
    told = f"{WEIGHTS}: forced, so it is trained anew; removed: checkpoint_final_kept.pth"
    assert told in answer.stdout + answer.stderr
    assert "epoch 1/1" in (workflow.folder / LOG).read_text()


def test_a_training_that_was_not_forced_finds_what_it_finished(workflow):
    (workflow.folder / WEIGHTS).unlink()
    answer = workflow.run("--cores", "1", "--", WEIGHTS)
    assert answer.returncode == 0, answer.stderr
    assert "finished before" in (workflow.folder / LOG).read_text()


def test_a_job_whose_code_was_edited_during_the_run_stops_and_names_it(workflow):
    first = workflow.folder / "results/logs/assign_regions/nhs.log"
    first.unlink()
    arguments = workflow._arguments(["--cores", "1", "--forcerun", "assign_regions", "--", WEIGHTS], {})
    with subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments],
        **{"cwd": workflow.project, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True},
    ) as process:
        while not first.exists() and process.poll() is None:
            time.sleep(0.01)
        module = workflow.project / "workflow_scripts/cmrslices/segmentation/sampling.py"
        module.write_text(f"{module.read_text()}\nCHANGED = 1\n")
        said = process.communicate()[0]
    assert process.returncode == 1
    assert "train_segmenter model=apex: the code of workflow_scripts/train_segmenter.py, or of a module" in said
    assert "Traceback" not in said
