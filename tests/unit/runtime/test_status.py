"""What a training is doing, as its log and its weights say."""

import os
import subprocess
import sys

import pytest
from places import ROOT

from cmrslices.runtime.progress import report_epoch
from cmrslices.runtime.status import read_training, status_table, trainings

NOW_S = 1_700_000_000
SEGMENTER = (
    "epoch 3/1000: training loss -0.5123, validation loss -0.4, pseudo-Dice 0.91 0.82 0.73, 88.2 s, 24.4 h left\n"
)
CLASSIFIER = "epoch 7/9: training loss 0.4321, validation loss 0.5, accuracy 0.8123, 3.1 s, 0.1 min left\n"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nZeroDivisionError: division by zero\n'


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def write_log(results, text, rule="train_segmenter", name="baseline", age_s=0):
    log = results / "logs" / rule / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    os.utime(log, (NOW_S - age_s, NOW_S - age_s))


def state(results):
    return read_training(results, "train_segmenter", "baseline", NOW_S).state


def test_a_segmenter_shows_its_last_epoch(results):
    write_log(results, "2D patch\n" + SEGMENTER.replace("epoch 3", "epoch 2") + SEGMENTER + "saving\n")
    training = read_training(results, "train_segmenter", "baseline", NOW_S)
    assert (training.state, training.epoch, training.loss) == ("running", "3/1000", "-0.5123")
    assert (training.score, training.left) == ("0.91 0.82 0.73", "24.4 h")
    assert training.log == results / "logs/train_segmenter/baseline.log"


def test_a_classifier_shows_its_accuracy(results):
    write_log(results, CLASSIFIER, "train_classifier", "resnet18")
    training = read_training(results, "train_classifier", "resnet18", NOW_S)
    assert (training.epoch, training.score, training.left) == ("7/9", "0.8123", "0.1 min")


def test_the_lines_that_trainings_print_are_understood(results, capsys):
    report_epoch(1, 10, "training loss nan, validation loss 1.0, pseudo-Dice nan nan nan", [3600.0])
    write_log(results, capsys.readouterr().out)
    training = read_training(results, "train_segmenter", "baseline", NOW_S)
    assert (training.epoch, training.loss, training.score, training.left) == ("1/10", "nan", "nan nan nan", "9.0 h")


def test_a_training_without_a_log_waits(results):
    assert state(results) == "waiting"


def test_a_training_before_its_first_epoch_runs(results):
    write_log(results, "")
    assert state(results) == "running"


def test_a_line_that_is_being_written_is_not_read(results):
    write_log(results, SEGMENTER + SEGMENTER.replace("epoch 3", "epoch 4")[:-3])
    assert read_training(results, "train_segmenter", "baseline", NOW_S).epoch == "3/1000"


def test_a_training_with_weights_is_done(results):
    write_log(results, SEGMENTER, age_s=100_000)
    weights = results / "nnunet/results/Dataset001_nhs/SliceTrainer__nnUNetPlans__baseline/fold_0/checkpoint_final.pth"
    weights.parent.mkdir(parents=True)
    weights.touch()
    training = read_training(results, "train_segmenter", "baseline", NOW_S)
    assert (training.state, training.left) == ("done", "")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("ERROR: the disk is full; make room\n", "the disk is full; make room"),
        ("ERROR: 2 faults found:\none\ntwo\n", "2 faults found: one; two"),
        (TRACEBACK, "ZeroDivisionError: division by zero"),
    ],
    ids=["error", "faults", "traceback"],
)
def test_a_failed_training_says_why(results, end, reason):
    write_log(results, SEGMENTER + end)
    assert state(results) == f"failed: {reason}"


def test_a_traceback_before_the_last_epoch_is_no_failure(results):
    write_log(results, TRACEBACK + SEGMENTER)
    assert state(results) == "running"


@pytest.mark.parametrize(
    ("age_s", "said"),
    [(290, "running"), (1500, "running, silent for 25 min"), (18_000, "running, silent for 5 h")],
)
def test_a_log_that_does_not_change_is_silent(results, age_s, said):
    write_log(results, SEGMENTER, age_s=age_s)
    assert state(results) == said


def test_an_epoch_that_takes_long_is_not_silent(results):
    write_log(results, SEGMENTER.replace("88.2 s", "1000.0 s"), age_s=1500)
    assert state(results) == "running"


def test_a_clock_that_jumped_back_makes_no_negative_age(results):
    write_log(results, SEGMENTER, age_s=-100_000)
    assert state(results) == "running"


def test_expected_trainings_and_those_with_a_log_are_shown(results):
    write_log(results, SEGMENTER)
    write_log(results, CLASSIFIER, "train_classifier", "resnet18")
    found = trainings(results, {"train_segmenter": ["apex"]}, NOW_S)
    assert [(job.name, job.state) for job in found] == [
        ("apex", "waiting"),
        ("baseline", "running"),
        ("resnet18", "running"),
    ]


def test_a_training_is_one_line(results):
    write_log(results, SEGMENTER + "ERROR: 2 faults found:\none\ntwo\n")
    assert len(status_table(trainings(results, {}, NOW_S)).splitlines()) == 2


def command(*arguments):
    script = ROOT / "workflow_scripts/training_status.py"
    return subprocess.run([sys.executable, script, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_command_shows_a_results_folder(results):
    write_log(results, CLASSIFIER, "train_classifier", "resnet18")
    answer = command(results)
    assert answer.returncode == 0, answer.stderr
    assert "train_classifier resnet18" in answer.stdout


def test_the_command_shows_the_waiting_trainings_of_a_call(results):
    answer = command("--config", f"results={results}")
    assert answer.returncode == 0, answer.stderr
    lines = [line.split()[:3] for line in answer.stdout.splitlines()]
    assert ["train_segmenter", "apex", "waiting"] in lines
    assert ["train_classifier", "vgg11_bn", "waiting"] in lines


def test_a_folder_without_logs_is_said_to_have_none(tmp_path):
    assert "no training has a log there" in command(tmp_path).stdout
