"""The record of what each try of a training computed on, beside the weights."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from cmrslices.runtime.files import write_whole
from cmrslices.runtime.interruption import Interrupted

NAME = "computed_on.yaml"
"""File beside the weights, with one item for each try."""


@contextlib.contextmanager
def recorded(weights: str | Path, made_from: str, describe: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Add a try to the record when the body ends, or is told to stop. A try that was killed, or failed, leaves none.

    Parameters
    ----------
    weights : path
        Where the training writes its weights.
    made_from : str
        What `cmrslices.runtime.checkpoints.training_digest` gives for the training. The tries of another training are
        forgotten.
    describe : callable
        Tells what this process computed on, see `cmrslices.runtime.devices.used`.
    """
    file = Path(weights).with_name(NAME)
    try:
        yield
    except Interrupted:
        _add(file, made_from, describe())
        raise
    _add(file, made_from, describe())


def read_tries(file: Path) -> list[dict[str, Any]]:
    """Read what the tries of a training computed on, the last one last."""
    return yaml.safe_load(file.read_text())["tries"]


def _add(file: Path, made_from: str, described: dict[str, Any]) -> None:
    earlier = yaml.safe_load(file.read_text()) if file.exists() else {}
    tries = earlier["tries"] if earlier.get("made_from") == made_from else []
    content = yaml.safe_dump({"made_from": made_from, "tries": [*tries, described]}, sort_keys=False)
    write_whole(file, lambda stream: stream.write(content.encode()))
