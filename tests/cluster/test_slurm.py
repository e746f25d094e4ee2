"""The workflow on a real SLURM: as it should go, and under the faults of a cluster."""

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pandas as pd
import pytest
import torch
from cluster import wait_for
from submission import Submission
from workflow import TINY, merged

ONE_COHORT = merged(
    TINY,
    {
        "cohorts": {"mnms": None, "acdc": None},
        "classification": {"networks": {"squeezenet1_0": None}},
        "demo": {"folder": "raw", "patients": {"nhs": 4}},
    },
)
EPOCHS = {"epochs": 6, "iterations_per_epoch": 45, "checkpoint_every": 1}
TRAINING = ONE_COHORT | {
    "segmentation": ONE_COHORT["segmentation"] | EPOCHS,
    "classification": ONE_COHORT["classification"] | {"epochs": 15, "checkpoint_every": 1},
}

WEIGHTS = "results/nnunet/results/Dataset001_nhs/SliceTrainer__nnUNetPlans__baseline/fold_0/checkpoint_final.pth"
OTHER_WEIGHTS = WEIGHTS.replace("baseline", "apex")
GROUP = ("--groups", "train_segmenter=train", "--group-components")
LOG = "results/logs/train_segmenter/baseline.log"
CLASSIFIER = "results/classifiers/shufflenet_v2_x1_0/weights.pth"
CLASSIFIER_LOG = "results/logs/train_classifier/shufflenet_v2_x1_0.log"
SLICES = "results/cohorts/nhs/slices.csv"
CPU_RULES = {
    "make_demo_cohort",
    "convert_cohort",
    "assign_regions",
    "plan_segmentation",
    "preprocess_segmentation",
    "preprocess_cohort",
    "score",
    "boundaries",
}
GPU_RULES = {"train_segmenter", "train_classifier", "classify", "predict"}


@pytest.fixture(scope="module")
def undisturbed(cluster, tmp_path_factory):
    """A working directory with a segmenter and a classifier whose trainings nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    answer = Submission(folder, TRAINING).answer("--cores", "2", WEIGHTS, CLASSIFIER, seconds=600)
    assert answer.returncode == 0, answer.stdout[-5000:]
    return folder


@pytest.fixture
def training(idle_cluster, undisturbed, tmp_path):
    """The same working directory before the trainings."""
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    for made in ("nnunet/results", "classifiers", "logs/train_segmenter", "logs/train_classifier"):
        shutil.rmtree(folder / "results" / made)
    submission = Submission(folder, TRAINING)
    yield submission
    submission.kill()


@pytest.fixture
def short_trainings(training):
    """The same with trainings of a few seconds."""
    return Submission(training.folder, ONE_COHORT)


def same_weights(first, second):
    """Whether two trainings ended with the same weights and optimiser, to the bit."""
    states = [torch.load(folder / WEIGHTS, weights_only=False) for folder in (first, second)]
    weights, momentum = ([leaves(state[part]) for state in states] for part in ("network_weights", "optimizer_state"))
    return weights[0] == weights[1] and momentum[0] == momentum[1]


def leaves(state):
    """Nested state with its tensors as bytes."""
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    if isinstance(state, dict):
        return {key: leaves(value) for key, value in state.items()}
    return [leaves(value) for value in state] if isinstance(state, list | tuple) else state


def same_classifiers(first, second):
    """Whether two classifiers have the same weights, to the bit."""
    one, other = (torch.load(folder / CLASSIFIER, weights_only=True)["state_dict"] for folder in (first, second))
    return leaves(one) == leaves(other)


def slurm_log(job, training="train_segmenter/baseline"):
    """Where SLURM and the inner Snakemake write about a training."""
    return f"results/logs/slurm/rule_{training}/{job}.log"


def process_of(submission):
    """Process id of the running training."""
    lock = submission.text("results/logs/train_segmenter/.baseline.log.lock")
    return int(re.search(r"process (\d+)", lock)[1])


@contextmanager
def stopped(process):
    """Hold a process."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_the_whole_workflow_runs_with_the_profile_as_it_is(idle_cluster, tmp_path):
    whole = Submission(tmp_path, ONE_COHORT)
    try:
        whole.run(seconds=1200)
    finally:
        whole.kill()
    assert len(pd.read_csv(tmp_path / "results/tables/table3.csv")) == 4 * 3 * 4
    assert (tmp_path / "results/figures/figure2.pdf").stat().st_size > 0
    logs = tmp_path / "results/logs/slurm"
    assert {path.name.removeprefix("rule_") for path in logs.iterdir()} == CPU_RULES | GPU_RULES
    assert {path.name for path in (logs / "rule_train_segmenter").iterdir()} >= {"baseline", "apex"}
    gpu_jobs = sum(len(list((logs / f"rule_{rule}").rglob("*.log"))) for rule in GPU_RULES)
    run = re.search("SLURM run ID: (.+)", whole.said)[1]
    jobs = [job for job in idle_cluster.run("scontrol", "-o", "show", "job").splitlines() if run in job]
    on_gpus = [job for job in jobs if "Partition=gpu" in job]
    assert len(on_gpus) == gpu_jobs
    assert [job for job in jobs if "gpu:1" in job] == on_gpus
    assert "Nothing to be done" in whole.answer("-n").stdout


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
    assert short_trainings.process.wait(120) != 0
    assert "Requested node configuration is not available" in short_trainings.said


def test_a_training_goes_on_where_its_time_limit_stopped_it(cluster, training, undisturbed):
    training.start(WEIGHTS)
    training.wait_for_words("epoch 2/", LOG)
    cluster.run("scontrol", "update", f"JobId={training.submitted[0]}", "TimeLimit=1")
    os.kill(process_of(training), signal.SIGSTOP)  # a slow machine; SLURM lets it go on when the time is up
    said = training.wait(300)
    assert "SLURM status is: 'TIMEOUT'" in said
    assert "interrupted (SIGTERM) after epoch" in training.text(slurm_log(training.submitted[0]))
    assert "Going on after epoch" in training.text(LOG)
    assert same_weights(training.folder, undisturbed)


def test_a_cancelled_training_is_submitted_again_and_goes_on(cluster, training, undisturbed):
    training.start(WEIGHTS)
    training.wait_for_words("epoch 2/", LOG)
    cluster.run("scancel", training.submitted[0])
    said = training.wait(300)
    assert "SLURM status is: 'CANCELLED'" in said
    assert "interrupted (SIGTERM) after epoch" in training.text(slurm_log(training.submitted[0]))
    assert "Going on after epoch" in training.text(LOG)
    assert same_weights(training.folder, undisturbed)


def test_a_cancelled_classifier_is_submitted_again_and_goes_on(cluster, training, undisturbed):
    training.start(CLASSIFIER)
    training.wait_for_words("epoch 2/", CLASSIFIER_LOG)
    cluster.run("scancel", training.submitted[0])
    said = training.wait(300)
    assert "SLURM status is: 'CANCELLED'" in said
    log = slurm_log(training.submitted[0], "train_classifier/shufflenet_v2_x1_0")
    assert "interrupted (SIGTERM) after epoch" in training.text(log)
    assert "resumed after epoch" in training.text(CLASSIFIER_LOG)
    assert same_classifiers(training.folder, undisturbed)


def test_a_requeued_training_goes_on_as_the_same_job(cluster, training, undisturbed):
    training.start(WEIGHTS)
    training.wait_for_words("epoch 2/", LOG)
    cluster.run("scontrol", "requeue", training.submitted[0])
    training.wait(300)
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


def test_a_drained_node_delays_a_job_until_it_is_resumed(cluster, training):
    slices = (training.folder / SLICES).read_bytes()
    cluster.run("scontrol", "update", f"NodeName={cluster.node}", "State=DRAIN", "Reason=test")
    training.start("--forcerun", "assign_regions", "--", SLICES)
    training.wait_for_words("submitted with SLURM jobid")
    assert cluster.jobs("PENDING") == training.submitted
    cluster.run("scontrol", "update", f"NodeName={cluster.node}", "State=RESUME")
    training.wait(120)
    assert len(training.submitted) == 1
    assert (training.folder / SLICES).read_bytes() == slices


@pytest.mark.parametrize("answerless", [False, True], ids=["between two looks", "across looks"])
def test_a_restart_of_the_controller_loses_no_job(cluster, training, undisturbed, answerless):
    training.start(WEIGHTS)
    training.wait_for_words("epoch 2/", LOG)
    cluster.kill_controller()
    if answerless:
        training.wait_for_words("SLURM does not answer; asking again")
        wait_for(lambda: (training.folder / WEIGHTS).exists(), 120, "the end of the training")
    cluster.start_controller()
    training.wait(300)
    assert len(training.submitted) == 1
    assert same_weights(training.folder, undisturbed)


def test_a_job_that_the_controller_forgot_is_submitted_again(cluster, training, undisturbed):
    training.start(WEIGHTS)
    training.wait_for_words("epoch 2/", LOG)
    cluster.kill_controller()
    cluster.lose_state()
    cluster.start_controller()
    said = training.wait(300)
    assert "does not know job" in said
    assert len(training.submitted) == 2
    assert same_weights(training.folder, undisturbed)


def test_a_job_that_preemption_cancelled_is_submitted_again(cluster, training, undisturbed):
    training.start("--set-resources", "train_segmenter:slurm_partition=spare", "--", WEIGHTS)
    training.wait_for_words("epoch 2/", LOG)
    cluster.run("sbatch", "-p", "gpu", f"--gpus={cluster.gpus}", "-o", "/dev/null", "--wrap", "sleep 5")
    said = training.wait(300)
    assert "SLURM status is: 'CANCELLED'" in said
    assert len(training.submitted) == 2
    assert same_weights(training.folder, undisturbed)


def test_after_a_killed_main_process_no_job_runs_twice_at_once(cluster, training, undisturbed):
    training.start(WEIGHTS)
    training.wait_for_words("epoch 2/", LOG)
    (first,) = training.submitted
    training.kill()
    with stopped(process_of(training)):  # else it could end before the second comes
        assert "--unlock" in training.answer("--profile", "slurm", WEIGHTS).stdout
        assert training.answer("--unlock", WEIGHTS).returncode == 0
        training.start(WEIGHTS)
        training.wait_for_words("submitted with SLURM jobid")
        (second,) = training.submitted
        training.wait_for_words("waiting for another job with the same output, process", slurm_log(second))
        assert first in cluster.jobs("RUNNING")
    training.wait(300)
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


def test_a_results_folder_that_was_moved_needs_nothing_new(undisturbed, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    (folder / "results").rename(folder / "moved")
    answer = Submission(folder, TRAINING | {"results": "moved"}).answer("-n", WEIGHTS.replace("results", "moved", 1))
    assert "Nothing to be done" in answer.stdout


def test_an_unwritable_results_folder_is_named(idle_cluster, tmp_path):
    (tmp_path / "results").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path / "results"], check=True)
    submission = Submission(tmp_path, ONE_COHORT)
    try:
        submission.start("results/cohorts/nhs/cases.csv")
        assert submission.process.wait(120) != 0
        assert re.search(r"Read-only file system.*results", submission.said)
    finally:
        submission.kill()
        subprocess.run(["umount", tmp_path / "results"], check=True)
