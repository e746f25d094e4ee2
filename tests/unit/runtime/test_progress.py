"""The line that a training prints after every epoch."""

import pytest

from cmrslices.runtime.progress import Progress, last_progress, report_epoch

SEGMENTER = "training loss -0.5123, validation loss -0.4000, pseudo-Dice 0.91 0.82 0.73"
CLASSIFIER = "training loss 0.4321, validation loss inf, accuracy nan"


def printed(capsys, *arguments):
    report_epoch(*arguments)
    return capsys.readouterr().out


def test_a_line_names_epoch_measures_duration_and_the_time_left(capsys):
    line = printed(capsys, 12, 1000, SEGMENTER, [88.0, 88.4])
    assert line == f"epoch 12/1000: {SEGMENTER}, 88.4 s, 24.2 h left\n"


def test_less_than_an_hour_is_said_in_minutes(capsys):
    assert printed(capsys, 8, 10, CLASSIFIER, [90.0]).endswith(", 90.0 s, 3.0 min left\n")


@pytest.mark.parametrize(
    ("measures", "values"),
    [
        (SEGMENTER, {"training loss": "-0.5123", "validation loss": "-0.4000", "pseudo-Dice": "0.91 0.82 0.73"}),
        (CLASSIFIER, {"training loss": "0.4321", "validation loss": "inf", "accuracy": "nan"}),
    ],
    ids=["segmenter", "classifier"],
)
def test_what_is_written_is_read_again(capsys, measures, values):
    progress, _ = last_progress(printed(capsys, 3, 5, measures, [7200.0]))
    assert progress == Progress(epoch=3, epochs=5, measures=values, seconds=7200.0, left="4.0 h")


def test_of_several_lines_the_last_one_is_read(capsys):
    log = "2D patch\n" + "".join(printed(capsys, epoch, 9, CLASSIFIER, [3.1]) for epoch in (1, 2))
    progress, rest = last_progress(f"{log}ERROR: the disk is full\n")
    assert progress.epoch == 2
    assert rest.strip() == "ERROR: the disk is full"


def test_a_log_without_such_a_line_has_no_progress():
    assert last_progress("reading slices\n") == (None, "reading slices\n")
