"""What each training is doing, read from its log and its weights while it runs."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from cmrslices.runtime.progress import last_progress
from cmrslices.runtime.trained_weights import TRAININGS

FAILED = re.compile(r"^(ERROR: .*|Traceback \(most recent call last\):)$", re.M)
TAIL_BYTES = 100_000
"""How much of the end of a log is read."""
SILENT_EPOCHS = 3
SILENT_S = 300
"""A log is silent if it has not changed for `SILENT_EPOCHS` of its epochs and for at least `SILENT_S`."""


@dataclass(frozen=True)
class TrainingStatus:
    """What one training is doing.

    Attributes
    ----------
    rule, name : str
        The rule, and the model or the network.
    state : str
        done, running, failed or waiting. A running training whose log is silent is said to be so, and a failed one has
        its reason.
    epoch : str
        The epochs that are done and how many there are, such as ``3/1000``; empty before the first one has ended.
    loss, score : str
        The training loss of the last epoch; its pseudo-Dice of LVBP, LVM and RVBP, or its validation accuracy.
    left : str
        The time left, by the log.
    log : Path
    """

    rule: str
    name: str
    state: str
    epoch: str
    loss: str
    score: str
    left: str
    log: Path


def trainings(results: str | Path, names: Mapping[str, Iterable[str]], now_s: float) -> list[TrainingStatus]:
    """Return the status of every training that has a log or is expected.

    Parameters
    ----------
    results : path
        The results folder.
    names : dict of rule to names
        The models of `train_segmenter` and the networks of `train_classifier` that are expected. Trainings that are not
        among them are found by their logs.
    now_s : float
        The time, in seconds since 1970.
    """
    found = []
    for rule in TRAININGS:
        logs = Path(results, "logs", rule)
        expected = list(names.get(rule, ()))
        others = sorted(log.stem for log in logs.glob("*.log") if log.stem not in expected)
        found += [read_training(Path(results), rule, name, now_s) for name in [*expected, *others]]
    return found


def read_training(results: Path, rule: str, name: str, now_s: float) -> TrainingStatus:
    """Return the status of one training, by its log and its weights; see `trainings`."""
    log = results / "logs" / rule / f"{name}.log"
    text, changed_s = _tail(log)
    last, rest = last_progress(text)
    if any(results.glob(TRAININGS[rule].format(name=name))):
        state = "done"
    elif changed_s is None:
        state = "waiting"
    elif fault := FAILED.search(rest):
        state = f"failed: {_reason(rest[fault.start() :])}"
    else:
        state = _running(now_s - changed_s, last.seconds if last else 0)
    measures = last.measures if last else {}
    return TrainingStatus(
        rule,
        name,
        state,
        epoch=f"{last.epoch}/{last.epochs}" if last else "",
        loss=measures.get("training loss", ""),
        score=measures.get("pseudo-Dice", measures.get("accuracy", "")),
        left=last.left if last and state.startswith("running") else "",
        log=log,
    )


def status_table(found: Sequence[TrainingStatus]) -> str:
    """Lay the trainings out as text, one line each."""
    columns = ["training", "state", "epoch", "loss", "pseudo-Dice | accuracy", "left", "log"]
    rows = [
        [f"{job.rule} {job.name}", job.state, job.epoch, job.loss, job.score, job.left, str(job.log)] for job in found
    ]
    return tabulate(rows, columns, tablefmt="plain", disable_numparse=True)


def _tail(log: Path) -> tuple[str, float | None]:
    """Return the whole lines at the end of a log, and when it changed; None where Snakemake has deleted it."""
    try:
        with log.open("rb") as file:
            state = os.fstat(file.fileno())
            file.seek(max(0, state.st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return "", None
    return text[: text.rfind("\n") + 1], state.st_mtime


def _running(silent_s: float, epoch_s: float) -> str:
    if silent_s <= max(SILENT_EPOCHS * epoch_s, SILENT_S):
        return "running"
    minutes = round(silent_s / 60)
    return f"running, silent for {minutes} min" if minutes < 120 else f"running, silent for {silent_s / 3600:.0f} h"


def _reason(text: str) -> str:
    """Return an error's line with the faults that it announces, or the last line of a traceback."""
    first, *others = text.strip().splitlines()
    if not first.startswith("ERROR: "):
        return others[-1] if others else first
    error = first.removeprefix("ERROR: ")
    return f"{error} {'; '.join(others)}" if error.endswith(":") else error
