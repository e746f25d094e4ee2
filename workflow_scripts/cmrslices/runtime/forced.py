"""Forced trainings: what would make them go on, or end at once, is removed before the run.

A training keeps its weights under a second name and goes on from its checkpoints, so that a killed run loses nothing.
A user who forces a training wants it anew.
"""

from collections.abc import Iterable
from pathlib import Path

from cmrslices.runtime.trained_weights import TRAININGS

LEFT = ("*_kept.pth", "checkpoint_latest*.pth", "checkpoint.pth", "checkpoint_previous.pth")


def forget_training(weights: str | Path) -> list[str]:
    """Remove the second name of finished weights, and the checkpoints beside them.

    Parameters
    ----------
    weights : path
        The weights that a training would write.

    Returns
    -------
    list of str
        Names of the files that were removed.
    """
    files = sorted(file for pattern in LEFT for file in Path(weights).parent.glob(pattern))
    for file in files:
        file.unlink()
    return [file.name for file in files]


def forget_forced(rule: str, outputs: Iterable[str]) -> str | None:
    """Forget a forced training, and say so; other rules' jobs have nothing to forget.

    Parameters
    ----------
    rule : str
        Name of the rule; a module may put a prefix before it.
    outputs : iterable of str
        Its outputs.
    """
    if not rule.endswith(tuple(TRAININGS)):
        return None
    removed = {output: forget_training(output) for output in outputs if output.endswith(".pth")}
    told = [
        f"{output}: forced, so it is trained anew; removed: {', '.join(names) or 'nothing'}"
        for output, names in removed.items()
    ]
    return "; ".join(told)
