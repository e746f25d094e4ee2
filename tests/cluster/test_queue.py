"""What is submitted to SLURM, and what waits in its queue."""

import time

import pytest
from trainings import OTHER_WEIGHTS, SLICES, WEIGHTS

GROUP = ("--groups", "train_segmenter=train", "--group-components")


def test_no_more_gpu_jobs_are_submitted_than_the_profiles_number(idle_cluster, training):
    idle_cluster.run("scontrol", "update", f"NodeName={idle_cluster.node}", "State=DRAIN", "Reason=test")
    training.start("--resources", "gpu=1", "--", WEIGHTS, OTHER_WEIGHTS)
    training.wait_for_words("submitted with SLURM jobid")
    time.sleep(5)
    assert len(idle_cluster.jobs("PENDING")) == len(training.submitted) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--slurm-array-jobs", "train_segmenter", "--resources", "gpu=1"),
        ("--slurm-array-jobs", "all", "--jobs", "1"),
    ],
    ids=["one rule", "all rules"],
)
def test_job_arrays_are_declined_and_every_job_is_submitted_by_itself(short_trainings, arguments):
    said = short_trainings.run(*arguments, "--", WEIGHTS, OTHER_WEIGHTS)
    assert "--slurm-array-jobs has no effect" in said
    assert len(short_trainings.submitted) == 2
    assert (short_trainings.folder / WEIGHTS).exists()
    assert (short_trainings.folder / OTHER_WEIGHTS).exists()


@pytest.mark.parametrize(
    ("arguments", "gpus", "time_limit"),
    [
        ((), 2, "1-12:00:00"),
        (("--resources", "gpu=1", "--set-resource-scopes", "gpu=local"), 1, "3-00:00:00"),
    ],
    ids=["as the rules ask", "in turn on one GPU"],
)
def test_a_group_of_trainings_is_one_job(cluster, short_trainings, arguments, gpus, time_limit):
    short_trainings.run(*GROUP, "train=2", *arguments, "--", WEIGHTS, OTHER_WEIGHTS)
    (number,) = short_trainings.submitted
    job = cluster.run("scontrol", "-o", "show", "job", number)
    assert f"TresPerJob=gres:gpu:{gpus}" in job
    assert f"TimeLimit={time_limit}" in job
    assert (short_trainings.folder / WEIGHTS).exists()
    assert (short_trainings.folder / OTHER_WEIGHTS).exists()


def test_a_group_that_asks_for_more_gpus_than_a_node_has_fails_with_sbatchs_reason(short_trainings):
    models = [WEIGHTS.replace("baseline", model) for model in ("baseline", "apex", "base")]
    short_trainings.start(*GROUP, "train=3", "--retries", "0", "--", *models)
    short_trainings.wait_for_failure()
    assert "Requested node configuration is not available" in short_trainings.said


def test_a_drained_node_delays_a_job_until_it_is_resumed(cluster, training):
    slices = (training.folder / SLICES).read_bytes()
    cluster.run("scontrol", "update", f"NodeName={cluster.node}", "State=DRAIN", "Reason=test")
    training.start("--forcerun", "assign_regions", "--", SLICES)
    training.wait_for_words("submitted with SLURM jobid")
    assert cluster.jobs("PENDING") == training.submitted
    cluster.run("scontrol", "update", f"NodeName={cluster.node}", "State=RESUME")
    training.wait()
    assert len(training.submitted) == 1
    assert (training.folder / SLICES).read_bytes() == slices
