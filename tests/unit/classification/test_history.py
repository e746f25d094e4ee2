"""The history of a classifier's training."""

from cmrslices.classification.history import best_epoch


def history(accuracies, losses):
    rows = enumerate(zip(accuracies, losses, strict=True), start=1)
    return [
        {"epoch": epoch, "validation_accuracy": accuracy, "validation_loss": loss} for epoch, (accuracy, loss) in rows
    ]


def test_the_best_epoch_is_the_most_accurate_one():
    assert best_epoch(history([0.5, 0.8, 0.7], [0.1, 0.9, 0.2])) == 2


def test_among_equally_accurate_epochs_the_best_is_the_one_of_lowest_loss():
    assert best_epoch(history([0.5, 0.8, 0.8, 0.7], [0.1, 0.5, 0.4, 0.2])) == 3


def test_among_equal_epochs_the_best_is_the_first():
    assert best_epoch(history([0.5, 0.8, 0.8, 0.8], [0.1, 0.9, 0.7, 0.7])) == 3
