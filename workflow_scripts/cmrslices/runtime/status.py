"""What each training is doing, read from its log and its weights while it runs."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

TRAININGS = {
    "train_segmenter": "nnunet/results/*/SliceTrainer__nnUNetPlans__{name}/fold_0/checkpoint_final.pth",
    "train_classifier": "classifiers/{name}/weights.pth",
}
"""Rule to the weights that its jobs make, below the results folder."""
EPOCH = re.compile(
    r"^epoch (?P<epoch>\d+)/(?P<epochs>\d+): (?P<measures>.+), (?P<seconds>[\d.]+) s, (?P<left>[\d.]+ \w+) left$", re.M
)
FAILED = re.compile(r"^(ERROR: .*|Traceback \(most recent call last\):)$", re.M)
TAIL_BYTES = 100_000
SILENT_EPOCHS = 3
"""A log that has not changed for longer than this many of its epochs, and `SILENT_S` at least, is called silent."""
SILENT_S = 300


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes
    ----------
    rule, name : str
        The rule, and the model or the network.
    state : str
        done, running, failed or waiting; a running one may be silent, a failed one has its reason.
    epoch : str
        Epochs that are done, of how many; empty before the first.
    loss, score : str
        Training loss, and pseudo-Dice of LVBP, LVM and RVBP or validation accuracy, of the last epoch.
    left : str
        Time left by the log.
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


def trainings(results: str | Path, names: dict[str, Iterable[str]], now_s: float) -> list[Training]:
    """Every training that has a log or is expected.

    Parameters
    ----------
    results : path
        The results folder.
    names : dict of rule to names
        Models of `train_segmenter` and networks of `train_classifier` that are expected; more are found by their logs.
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


def read_training(results: Path, rule: str, name: str, now_s: float) -> Training:
    """One training, by its log and its weights; see `trainings`."""
    log = results / "logs" / rule / f"{name}.log"
    text, changed_s = _tail(log)
    *_, last = [None, *EPOCH.finditer(text)]
    done = any(results.glob(TRAININGS[rule].format(name=name)))
    if done:
        state = "done"
    elif changed_s is None:
        state = "waiting"
    elif fault := FAILED.search(text, last.end() if last else 0):
        state = f"failed: {_reason(text[fault.start() :])}"
    else:
        state = _running(now_s - changed_s, float(last["seconds"]) if last else 0)
    measures = _measures(last["measures"]) if last else {}
    return Training(
        rule,
        name,
        state,
        epoch=f"{last['epoch']}/{last['epochs']}" if last else "",
        loss=measures.get("training loss", ""),
        score=measures.get("pseudo-Dice", measures.get("accuracy", "")),
        left=last["left"] if last and state.startswith("running") else "",
        log=log,
    )


def status_table(found: Sequence[Training]) -> str:
    """Lay the trainings out as text, a line each."""
    columns = ["training", "state", "epoch", "loss", "pseudo-Dice | accuracy", "left", "log"]
    rows = [
        [f"{job.rule} {job.name}", job.state, job.epoch, job.loss, job.score, job.left, str(job.log)] for job in found
    ]
    return tabulate(rows, columns, tablefmt="plain", disable_numparse=True)


def _tail(log: Path) -> tuple[str, float | None]:
    """Whole lines at the end of a log, and when it changed; Snakemake may delete it meanwhile."""
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
    """An error's line, with the faults that it announces, or the last line of a traceback."""
    first, *others = text.strip().splitlines()
    if not first.startswith("ERROR: "):
        return others[-1] if others else first
    error = first.removeprefix("ERROR: ")
    return f"{error} {'; '.join(others)}" if error.endswith(":") else error


def _measures(text: str) -> dict[str, str]:
    """Name to values of ``training loss 0.5, pseudo-Dice 0.9 0.8 0.7``."""
    parts = (re.match(r"(.*?) (-?[\d.]+.*|-?inf|nan.*)$", part) for part in text.split(", "))
    return {part[1]: part[2] for part in parts if part}
