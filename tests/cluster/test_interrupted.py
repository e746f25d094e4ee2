"""Trainings that SLURM stops go on where they were, and end as if nothing had happened."""

from trainings import (
    CLASSIFIER,
    CLASSIFIER_LOG,
    LOG,
    WEIGHTS,
    hold_after_second_epoch,
    same_classifiers,
    same_weights,
    slurm_log,
)


def test_a_training_goes_on_where_its_time_limit_stopped_it(cluster, training, undisturbed):
    training.start(WEIGHTS)
    hold_after_second_epoch(training)  # as on a slow machine
    cluster.run("scontrol", "update", f"JobId={training.submitted[0]}", "TimeLimit=1")
    said = training.wait()
    assert "SLURM status is: 'TIMEOUT'" in said
    assert "interrupted (SIGTERM) after epoch" in training.text(slurm_log(training.submitted[0]))
    assert "Going on after epoch" in training.text(LOG)
    assert same_weights(training.folder, undisturbed)


def test_a_cancelled_training_is_submitted_again_and_goes_on(cluster, training, undisturbed):
    training.start(WEIGHTS)
    hold_after_second_epoch(training)
    cluster.run("scancel", training.submitted[0])
    said = training.wait()
    assert "SLURM status is: 'CANCELLED'" in said
    assert "interrupted (SIGTERM) after epoch" in training.text(slurm_log(training.submitted[0]))
    assert "Going on after epoch" in training.text(LOG)
    assert same_weights(training.folder, undisturbed)


def test_a_cancelled_classifier_is_submitted_again_and_goes_on(cluster, training, undisturbed):
    training.start(CLASSIFIER)
    hold_after_second_epoch(training, CLASSIFIER_LOG)
    cluster.run("scancel", training.submitted[0])
    said = training.wait()
    assert "SLURM status is: 'CANCELLED'" in said
    log = slurm_log(training.submitted[0], "train_classifier/shufflenet_v2_x1_0")
    assert "interrupted (SIGTERM) after epoch" in training.text(log)
    assert "resumed after epoch" in training.text(CLASSIFIER_LOG)
    assert same_classifiers(training.folder, undisturbed)


def test_a_requeued_training_goes_on_as_the_same_job(cluster, training, undisturbed):
    training.start(WEIGHTS)
    hold_after_second_epoch(training)
    cluster.run("scontrol", "requeue", training.submitted[0])
    training.wait()
    assert len(training.submitted) == 1
    assert "Going on after epoch" in training.text(LOG)
    assert same_weights(training.folder, undisturbed)


def test_a_job_out_of_memory_gets_more_in_its_next_try(training, undisturbed):
    memory = "train_segmenter:mem_mb=400 if attempt == 1 else 8000"
    said = training.run("--set-resources", memory, "--", WEIGHTS)
    assert f"SLURM-job '{training.submitted[0]}' failed" in said
    assert "memory" in training.text(slurm_log(training.submitted[0])).lower()
    assert len(training.submitted) == 2
    assert same_weights(training.folder, undisturbed)


def test_a_job_that_preemption_cancelled_is_submitted_again(cluster, training, undisturbed):
    training.start("--set-resources", "train_segmenter:slurm_partition=spare", "--", WEIGHTS)
    hold_after_second_epoch(training)
    cluster.run("sbatch", "-p", "gpu", f"--gpus={cluster.gpus}", "-o", "/dev/null", "--wrap", "sleep 5")
    said = training.wait()
    assert "SLURM status is: 'CANCELLED'" in said
    assert len(training.submitted) == 2
    assert same_weights(training.folder, undisturbed)
