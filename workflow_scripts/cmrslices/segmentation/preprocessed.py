"""Unseen cases after nnU-Net's preprocessing: a file of voxels and one of properties each, read ahead of a network."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from cmrslices.runtime.errors import InputError

CASES_AT_ONCE = 8
"""Cases in memory together; as many again are being read, and being written."""

Item = TypeVar("Item")
Output = TypeVar("Output")


class Unseen(NamedTuple):
    """A case's voxels ``(1, z, y, x)``, float32, and what nnU-Net noted about it."""

    voxels: np.ndarray
    properties: dict

    @property
    def kept(self) -> range:
        """The stack's slices, as the image counts them."""
        return kept_slices(self.properties)

    @property
    def length(self) -> int:
        """Slices of the image."""
        return self.properties["shape_before_cropping"][0]


def kept_slices(properties: dict) -> range:
    """Return the indices, in the original stack, of the slices that nnU-Net's crop to non-zero voxels kept."""
    return range(*(int(bound) for bound in properties["bbox_used_for_cropping"][0]))


def write_unseen(folder: str | Path, case: str, unseen: Unseen) -> None:
    """Write ``{case}.npy`` and ``{case}.json``.

    Parameters
    ----------
    folder : path
    case : str
    unseen : Unseen
        Tuples and NumPy's numbers among its properties come back as lists and Python's numbers.
    """
    np.save(Path(folder) / f"{case}.npy", unseen.voxels)
    properties = json.dumps(unseen.properties, default=lambda value: value.tolist())
    (Path(folder) / f"{case}.json").write_text(properties)


def read_unseen(folder: str | Path, case: str) -> Unseen:
    """Read what `write_unseen` wrote.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    try:
        return Unseen(np.load(Path(folder) / f"{case}.npy"), json.loads((Path(folder) / f"{case}.json").read_text()))
    except (OSError, ValueError, EOFError) as fault:
        raise InputError(f"{folder}: {case} cannot be read ({fault}); delete the folder and run again") from None


def read_ahead(
    read: Callable[[Item], Output], items: Sequence[Item], pool: ThreadPoolExecutor
) -> Iterator[list[Output]]:
    """Yield ``read(item)`` of `CASES_AT_ONCE` items at a time, in their order.

    Parameters
    ----------
    read : callable
        Reading, NumPy and torch let other threads run meanwhile.
    items : sequence
    pool : ThreadPoolExecutor
        Reads the next items while the caller is at work on the ones before.
    """
    waiting = deque()
    for first in range(0, len(items), CASES_AT_ONCE):
        waiting.append([pool.submit(read, item) for item in items[first : first + CASES_AT_ONCE]])
        if len(waiting) > 1:
            yield [future.result() for future in waiting.popleft()]
    while waiting:
        yield [future.result() for future in waiting.popleft()]
