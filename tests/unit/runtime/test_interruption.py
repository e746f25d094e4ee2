"""Trainings that are told to stop, or killed, go on later and end with the same weights as undisturbed ones.

Each training runs in its own process, as a job does.
"""

import contextlib
import errno
import itertools
import multiprocessing
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import tiny_classification
import torch
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as nnunet_trainer
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from tiny_segmentation import JOINT, Project

from cmrslices.classification import training as classification
from cmrslices.runtime import interruption, job
from cmrslices.runtime.checkpoints import Checkpoint, read_checkpoint, save_whole, training_digest
from cmrslices.runtime.job import job_log
from cmrslices.segmentation.training import train_segmenter

EPOCHS = 4


class Segmenters:
    """Trainings of a segmenter: 3 mini-batches and 2 of validation per epoch, drawn by worker processes."""

    steps_per_epoch = 5
    latest = "checkpoint_latest.pth"

    def __init__(self, folder):
        self.project = Project(folder).make()

    def weights(self, name):
        return self.project.weights(name)

    policy: ClassVar = {"sampling": "quadratic", "ratio": 4}

    def train(self, name, **changes):
        sizes = {"epochs": EPOCHS, "iterations_per_epoch": 3, "validation_iterations": 2, "threads": 2}
        train_segmenter(**self.project.arguments(name, self.policy, **sizes | changes))

    def before_each_step(self, act):
        """Call `act` before every step that a training does in this process."""
        for step in ("train_step", "validation_step"):
            setattr(nnUNetTrainer, step, preceded(getattr(nnUNetTrainer, step), act))

    def state(self, name):
        content = read_checkpoint(self.weights(name))
        return content["network_weights"], [content["logging"][key] for key in ("train_losses", "val_losses", "lrs")]


class JointSegmenters(Segmenters):
    """The same of a joint network, whose head has an optimiser of its own."""

    policy: ClassVar = {"sampling": "uniform"}

    def train(self, name, **changes):
        super().train(name, joint=JOINT, **changes)


class Classifiers:
    """Trainings of a classifier: 4 mini-batches and 3 of validation per epoch."""

    steps_per_epoch = 7
    latest = "checkpoint.pth"

    def __init__(self, folder):
        self.folder = folder
        tiny_classification.make_inputs(folder)

    def weights(self, name):
        return self.folder / name / "weights.pth"

    def train(self, name, **changes):
        self.weights(name).parent.mkdir(exist_ok=True)
        sizes = {"epochs": EPOCHS, "checkpoint_every": 1}
        classification.train_classifier(**tiny_classification.arguments(self.folder, name, **sizes | changes))

    def before_each_step(self, act):
        """Call `act` before every step that a training does in this process."""
        classification.autocast = preceded(classification.autocast, act)

    def state(self, name):
        history = pd.read_csv(self.weights(name).with_name("history.csv")).drop(columns="seconds")
        return torch.load(self.weights(name), weights_only=True)["state_dict"], history.to_numpy().tolist()


def preceded(function, act):
    def both(*arguments):
        act()
        return function(*arguments)

    return both


def at_call(number, act):
    """Return a function that calls `act` when it is called for the given time, counted from 1."""
    calls = 0

    def count(*_):
        nonlocal calls
        calls += 1
        if calls == number:
            act()

    return count


def signal_to_all(number):
    """Signal this process and its workers from outside, as SLURM does."""
    assert os.getpgid(0) == os.getpid()  # a group of its own
    code = f"import os; os.killpg({os.getpid()}, {int(number)})"
    subprocess.run([sys.executable, "-c", code], start_new_session=True, check=True)


terminate, interrupt, kill = (
    partial(signal_to_all, number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
)


class AtStep:
    """Something happens before a certain step of a training, counted from 1."""

    def __init__(self, number, act):
        self.number, self.act = number, act

    def __call__(self, trainings):
        trainings.before_each_step(at_call(self.number, self.act))


def nothing(trainings):
    """Leave a training undisturbed."""


# Forks of this process could wait for ever for threads of torch that a fork does not have.
CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["nnunetv2.training.nnUNetTrainer.nnUNetTrainer", "torchvision", "pandas", "pytest"])


class Job:
    """A training in a process of its own, under the log that every job has; `arrange` disturbs it."""

    def __init__(self, trainings, name, arrange=nothing, **changes):
        self.log = trainings.weights(name).parents[1] / f"{name}.log"
        self.terminal = self.log.with_suffix(".terminal")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        for file in (self.log, self.terminal):
            file.touch()
        self._process = CLEAN.Process(target=self._run, args=(trainings, name, arrange, changes))
        self._process.start()

    def __getstate__(self):
        return {"log": self.log, "terminal": self.terminal}

    def _run(self, trainings, name, arrange, changes):
        os.setsid()
        multiprocessing.set_start_method("fork", force=True)  # as in a job
        be_quick()
        os.environ.pop("SLURM_JOB_ID", None)
        terminal = os.open(self.terminal, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(terminal, 1)
        os.dup2(terminal, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        arrange(trainings)
        with job_log(self.log):
            trainings.train(name, **changes)

    def signal(self, number):
        """Signal the training's process, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def wait(self):
        """Exit status, what was said on the terminal, and the log."""
        self._process.join()
        return self._process.exitcode, self.terminal.read_text(), self.log.read_text()


def be_quick():
    """Wait no longer than needed for the workers of a killed job, and compute with one thread."""
    torch.set_num_threads = lambda _: None  # a second one beside so small a network waits most of the time
    job.POLL_S, job.SETTLE_S = 0.1, 0


def finish(trainings, name, **changes):
    """Run a job that must end well, and return its state."""
    status, said, log = Job(trainings, name, **changes).wait()
    assert status == 0, said + log
    return trainings.state(name)


def assert_same(one, other):
    assert one[1] == other[1]
    assert [key for key, value in one[0].items() if not torch.equal(value, other[0][key])] == []


@pytest.fixture(scope="module", params=[Segmenters, Classifiers], ids=["segmenter", "classifier"])
def trainings(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("trainings"))


@pytest.fixture(scope="module")
def undisturbed(trainings):
    return finish(trainings, "undisturbed")


def test_sigterm_in_training_and_in_validation_changes_no_bit(trainings, undisturbed):
    for step in (2, trainings.steps_per_epoch - 1, 4):
        status, said, _ = Job(trainings, "sigterm", AtStep(step, terminate)).wait()
        assert status == 1
        assert "the next try goes on from there" in said
        assert not trainings.weights("sigterm").exists()
    assert_same(finish(trainings, "sigterm"), undisturbed)


def test_an_interruption_says_signal_epoch_and_iteration_on_the_last_lines(trainings):
    _, said, log = Job(trainings, "said", AtStep(trainings.steps_per_epoch + 2, terminate)).wait()
    message = "ERROR: interrupted (SIGTERM) after epoch 1, iteration 2; the next try goes on from there"
    assert said.splitlines()[-2].startswith(message)
    assert said.splitlines()[-1].startswith("(log: ")
    assert log.splitlines()[-1] == message
    _, _, log = Job(trainings, "said").wait()
    assert "after epoch 1, iteration 2" in log


def test_sigint_is_like_sigterm(trainings, undisturbed):
    status, said, _ = Job(trainings, "sigint", AtStep(3, interrupt)).wait()
    assert status == 1
    assert "interrupted (SIGINT) after epoch 0, iteration 3" in said
    assert_same(finish(trainings, "sigint"), undisturbed)


class KillInWrite:
    """SIGKILL when a file is written but not yet on the disk."""

    def __init__(self, number):
        self.number = number

    def __call__(self, trainings):
        os.fsync = at_call(self.number, kill)


class KillInRename(KillInWrite):
    """SIGKILL between two renames of a checkpoint."""

    def __call__(self, trainings):
        Path.replace = preceded(Path.replace, at_call(self.number, kill))


@pytest.mark.parametrize(
    ("disturb", "number"), [(KillInWrite, 1), (KillInWrite, 4), (KillInRename, 4), (KillInRename, 5)]
)
def test_sigkill_in_the_writing_of_a_checkpoint_changes_no_bit(trainings, undisturbed, disturb, number):
    name = f"{disturb.__name__}{number}"
    status, _, _ = Job(trainings, name, disturb(number)).wait()
    assert status == -signal.SIGKILL
    assert_same(finish(trainings, name), undisturbed)
    folder = trainings.weights(name).parent
    assert [file.name for file in folder.iterdir() if file.suffix in {".partial", ".new"}] == []


def test_sigkill_costs_no_more_than_the_epochs_since_the_last_checkpoint(trainings, undisturbed):
    Job(trainings, "cost", AtStep(3 * trainings.steps_per_epoch - 1, kill), checkpoint_every=2).wait()
    # A checkpoint is valid for another interval, too.
    status, _, log = Job(trainings, "cost", checkpoint_every=3).wait()
    assert status == 0
    assert "after epoch 2, iteration 0" in log
    assert_same(trainings.state("cost"), undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signals_at_random_moments_change_no_bit(trainings, undisturbed, number):
    moments, stopped = random.Random(int(number)), 0
    started = time.monotonic()
    finish(trainings, f"whole{number}")
    whole_s = time.monotonic() - started
    for attempt in range(50):
        name = f"random{number}_{attempt}"
        running = Job(trainings, name)
        time.sleep(moments.uniform(0, whole_s))
        running.signal(number)
        stopped += running.wait()[0] != 0
        assert_same(finish(trainings, name), undisturbed)
        if stopped == 3:
            return
    pytest.fail(f"only {stopped} of 50 trainings were stopped before their end")


def kill_worker():
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)


def test_a_killed_worker_ends_the_job_with_the_remedy_and_changes_no_bit(tmp_path_factory):
    trainings = Segmenters(tmp_path_factory.mktemp("worker"))
    status, said, _ = Job(trainings, "worker", AtStep(7, kill_worker)).wait()
    assert status == 1
    assert "a worker process was killed, likely for memory: give the rule more mem_mb" in said
    assert_same(finish(trainings, "worker"), finish(trainings, "undisturbed"))


def test_a_joint_network_that_is_stopped_or_killed_goes_on_to_the_same_weights(tmp_path_factory):
    trainings = JointSegmenters(tmp_path_factory.mktemp("joint"))
    for step in (2, trainings.steps_per_epoch - 1):
        status, said, _ = Job(trainings, "disturbed", AtStep(step, terminate)).wait()
        assert status == 1
        assert "the next try goes on from there" in said
    Job(trainings, "disturbed", AtStep(trainings.steps_per_epoch + 4, kill)).wait()
    status, _, log = Job(trainings, "disturbed").wait()
    assert status == 0
    assert "Going on after epoch 2, iteration 0" in log
    assert_same(trainings.state("disturbed"), finish(trainings, "undisturbed"))


def test_a_finished_training_whose_output_was_deleted_is_not_repeated(trainings):
    name = "finished"
    state = finish(trainings, name)
    trainings.weights(name).unlink()

    status, _, log = Job(trainings, name, AtStep(1, kill)).wait()
    assert status == 0
    assert "finished before" in log
    assert_same(trainings.state(name), state)


@pytest.mark.parametrize("change", [{"learning_rate": 0.002}, {"code": "other"}], ids=["settings", "code"])
def test_neither_checkpoint_nor_result_of_other_things_is_used(trainings, change):
    name = f"other_{next(iter(change))}"

    Job(trainings, name, AtStep(trainings.steps_per_epoch + 2, kill)).wait()
    status, _, log = Job(trainings, name, **change).wait()
    assert status == 0
    aside = f"{trainings.latest}.stale"
    assert f"{trainings.latest} was made from other settings, data or code: set aside as {aside}" in log
    assert trainings.weights(name).with_name(aside).exists()
    status, _, log = Job(trainings, name).wait()
    assert status == 0
    assert "finished before" not in log


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_it_used(trainings, undisturbed, damage):
    name = f"damaged_{damage}"

    Job(trainings, name, AtStep(2 * trainings.steps_per_epoch + 2, terminate)).wait()
    file = trainings.weights(name).with_name(trainings.latest)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    status, _, log = Job(trainings, name).wait()
    assert status == 0
    assert f"{file.name} is damaged" in log
    assert file.with_name(f"{file.name}.damaged").exists()
    assert "after epoch 2, iteration 0" in log
    assert_same(trainings.state(name), undisturbed)


def fill(folder):
    """Fill the disk that a folder lies on."""
    with (folder / "filler").open("wb") as filler:
        try:
            while True:
                filler.write(bytes(4096))
                filler.flush()
        except OSError as fault:
            assert fault.errno == errno.ENOSPC


def test_a_full_disk_while_a_checkpoint_is_written_leaves_the_last_one(trainings, undisturbed):
    folder = trainings.weights("full").parent
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        disturb = AtStep(trainings.steps_per_epoch + 2, partial(fill, folder))
        status, said, _ = Job(trainings, "full", disturb).wait()
        assert status == 1
        assert "the disk or the quota is full; make room" in said
        assert not [file for file in folder.iterdir() if file.suffix == ".partial"]
        (folder / "filler").unlink()
        status, _, log = Job(trainings, "full").wait()
        assert status == 0, log
        assert "after epoch 1, iteration 0" in log
        assert_same(trainings.state("full"), undisturbed)
    finally:
        subprocess.run(["umount", folder], check=True)


def jump(trainings):
    """Let the clock jump a day, forward or back, at each look at it."""
    clock, days = time.time, itertools.cycle((0, 1, -1))
    time.time = nnunet_trainer.time = lambda: clock() + 86_400 * next(days)


def jump_and_end(trainings):
    jump(trainings)
    AtStep(2 * trainings.steps_per_epoch + 2, terminate)(trainings)


def test_a_clock_that_jumps_changes_neither_weights_nor_the_time_left(trainings, undisturbed):
    assert Job(trainings, "clock", jump_and_end).wait()[0] == 1
    status, _, log = Job(trainings, "clock", jump).wait()
    assert status == 0, log
    assert_same(trainings.state("clock"), undisturbed)
    seconds = re.findall(r"^epoch .* (-?[\d.]+) s, [\d.]+ min left$", log, re.MULTILINE)
    assert len(seconds) == EPOCHS - 2
    assert all(0 <= float(duration) < 3600 for duration in seconds)


def test_the_progress_of_a_training_is_one_regular_line_per_epoch(trainings):
    _, _, log = Job(trainings, "progress").wait()
    lines = [line for line in log.splitlines() if line.startswith("epoch ") and line.endswith(" left")]
    assert [line.split(":")[0] for line in lines] == [f"epoch {epoch}/{EPOCHS}" for epoch in range(1, EPOCHS + 1)]
    assert all("training loss " in line and "validation loss " in line for line in lines)


def test_a_checkpoint_that_fails_to_be_written_leaves_the_last_one(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pth", "same")
    checkpoint.save({"epoch": 1})
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            checkpoint.save({"epoch": 2, "weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert checkpoint.load() == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pth"]


def test_what_a_kill_left_half_written_is_removed(tmp_path):
    for name in ("checkpoint.pth.new", "checkpoint.pth.new.partial", "checkpoint_best.pth.partial"):
        (tmp_path / name).write_bytes(b"half")
    assert Checkpoint(tmp_path / "checkpoint.pth", "same").load() is None
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_holds_no_code(tmp_path):
    save_whole({"made_from": "same", "state": print}, tmp_path / "checkpoint.pth")
    assert Checkpoint(tmp_path / "checkpoint.pth", "same").load() is None
    assert (tmp_path / "checkpoint.pth.damaged").exists()


def test_other_images_in_the_store_are_other_data(tmp_path):
    (tmp_path / "2d").mkdir()
    (tmp_path / "2d/case.b2nd").write_bytes(b"1234")
    one = training_digest({}, tmp_path)
    (tmp_path / "2d/case.b2nd").write_bytes(b"12345")
    assert training_digest({}, tmp_path) != one


def test_a_results_folder_moved_elsewhere_is_the_same_data(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/case.b2nd").write_bytes(b"1234")
    before = training_digest({"seed": 1}, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert training_digest({"seed": 1}, tmp_path / "there") == before


def test_a_second_signal_does_not_replace_the_first(tmp_path):
    code = """
import os, signal
from cmrslices.runtime.interruption import Interrupted, defer_signals, raise_on_signal
try:
    with raise_on_signal():
        with defer_signals() as interruption:
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        raise Interrupted(interruption.message(2, 3))
except Interrupted as fault:
    print(fault)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": "workflow_scripts"}
    )
    assert answer.stdout.startswith("interrupted (SIGTERM) after epoch 2, iteration 3"), answer.stderr


def test_a_signal_is_gone_when_the_body_ends():
    before = signal.getsignal(signal.SIGTERM)
    with interruption.defer_signals() as noticed:
        assert noticed.signal is None
    assert signal.getsignal(signal.SIGTERM) is before
