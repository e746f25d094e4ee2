"""Working directories: two Snakemakes in one, results that were moved, a folder that cannot be written."""

import re
import shutil
import subprocess

from submission import Submission
from trainings import LOG, ONE_COHORT, TRAINING, WEIGHTS, hold_after_second_epoch, same_weights, slurm_log, stopped


def test_after_a_killed_main_process_no_job_runs_twice_at_once(cluster, training, undisturbed):
    training.start(WEIGHTS)
    with stopped(hold_after_second_epoch(training)):
        (first,) = training.submitted
        training.kill()
        assert "--unlock" in training.answer("--profile", "slurm", WEIGHTS).stdout
        assert training.answer("--unlock", WEIGHTS).returncode == 0
        training.start(WEIGHTS)
        training.wait_for_words("submitted with SLURM jobid")
        (second,) = training.submitted
        training.wait_for_words("waiting for another job with the same output, process", slurm_log(second))
        assert first in cluster.jobs("RUNNING")
    training.wait()
    assert f"SLURM job {first}" in training.text(slurm_log(second))
    assert "finished before, from the same settings, data and code" in training.text(LOG)
    assert same_weights(training.folder, undisturbed)


def test_a_second_snakemake_on_the_folder_is_refused(training):
    training.start(WEIGHTS)
    training.wait_for_words("submitted with SLURM jobid")
    answer = training.answer("--cores", "1", WEIGHTS)
    assert answer.returncode != 0
    assert "cannot be locked" in answer.stdout
    assert training.process.poll() is None


def test_a_results_folder_that_was_moved_needs_nothing_new(cluster, undisturbed, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    (folder / "results").rename(folder / "moved")
    moved = Submission(cluster, folder, TRAINING | {"results": "moved"})
    answer = moved.answer("-n", WEIGHTS.replace("results", "moved", 1))
    assert "Nothing to be done" in answer.stdout


def test_an_unwritable_results_folder_is_named(idle_cluster, tmp_path):
    (tmp_path / "results").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path / "results"], check=True)
    submission = Submission(idle_cluster, tmp_path, ONE_COHORT)
    try:
        submission.start("results/cohorts/nhs/cases.csv")
        submission.wait_for_failure()
        assert re.search(r"Read-only file system.*results", submission.said)
    finally:
        submission.kill()
        subprocess.run(["umount", tmp_path / "results"], check=True)
