"""The history of a classifier's training, a row per epoch, and the epoch whose weights are kept."""

from collections.abc import Mapping, Sequence
from typing import Any


def best_epoch(history: Sequence[Mapping[Any, Any]]) -> int:
    """Return the epoch of highest validation accuracy; among equally accurate ones, that of lowest validation loss.

    Parameters
    ----------
    history : sequence of dict
        A row per epoch with ``epoch``, ``validation_accuracy`` and ``validation_loss``, as in ``history.csv``. If two
        epochs have the same accuracy and the same loss, the first one is the best.
    """
    return max(history, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))["epoch"]
