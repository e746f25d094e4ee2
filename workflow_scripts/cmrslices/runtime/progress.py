"""The line that a training prints after every epoch, written and read; segmenters and classifiers share it.

``epoch 12/1000: training loss 0.5123, validation loss 0.6, accuracy 0.91, 88.2 s, 24.1 h left``
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

EPOCH_LINE = re.compile(
    r"^epoch (?P<epoch>\d+)/(?P<epochs>\d+): (?P<measures>.+), (?P<seconds>[\d.]+) s, (?P<left>[\d.]+ \w+) left$", re.M
)
MEASURE = re.compile(r"(?P<name>.*?) (?P<values>-?[\d.]+.*|-?inf|nan.*)$")
"""A name of one or more words, and one or more numbers."""


@dataclass(frozen=True)
class Progress:
    """What an epoch's line says.

    Attributes
    ----------
    epoch, epochs : int
        The epoch that ended, from 1, and how many there are.
    measures : dict of str to str
        The name of each measure to its numbers as they are printed.
    seconds : float
        How long the epoch took.
    left : str
        How long the remaining epochs will take, with its unit.
    """

    epoch: int
    epochs: int
    measures: dict[str, str]
    seconds: float
    left: str


def report_epoch(epoch: int, epochs: int, measures: str, seconds: Sequence[float]) -> None:
    """Print an epoch's line.

    Parameters
    ----------
    epoch, epochs : int
        The epoch that ended, from 1, and how many there are.
    measures : str
        Names and their numbers, such as ``training loss 0.5123, pseudo-Dice 0.91 0.82 0.73``.
    seconds : sequence of float
        Durations of epochs, that of the last one at the end, by a clock that never jumps. Their mean tells the time
        that is left.
    """
    left_s = sum(seconds) / len(seconds) * (epochs - epoch)
    left = f"{left_s / 3600:.1f} h" if left_s >= 3600 else f"{left_s / 60:.1f} min"
    print(f"epoch {epoch}/{epochs}: {measures}, {seconds[-1]:.1f} s, {left} left", flush=True)


def last_progress(log: str) -> tuple[Progress | None, str]:
    """Read the last epoch's line in a log.

    Parameters
    ----------
    log : str
        Whole lines.

    Returns
    -------
    Progress or None
        None where the log has no epoch's line.
    str
        What the log says after this line; all of it where there is none.
    """
    *_, line = [None, *EPOCH_LINE.finditer(log)]
    if line is None:
        return None, log
    found = (MEASURE.match(part) for part in line["measures"].split(", "))
    measures = {measure["name"]: measure["values"] for measure in found if measure}
    progress = Progress(int(line["epoch"]), int(line["epochs"]), measures, float(line["seconds"]), line["left"])
    return progress, log[line.end() :]
