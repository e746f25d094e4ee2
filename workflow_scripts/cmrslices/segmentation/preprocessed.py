"""Files of preprocessed cases: one of voxels and one of properties per case, read while a network is at work."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from cmrslices.runtime.errors import InputError

CASES_AT_ONCE = 8
"""Cases that are given to a network together; as many again are being read, and as many are being written."""

Item = TypeVar("Item")
Output = TypeVar("Output")


class PreprocessedCase(NamedTuple):
    """A case's voxels ``(1, z, y, x)``, float32, and its properties as nnU-Net noted them."""

    voxels: np.ndarray
    properties: dict

    @property
    def kept(self) -> range:
        """Indices, in the original image, of the slices that the voxels hold."""
        return kept_slices(self.properties)

    @property
    def length(self) -> int:
        """Number of slices of the original image."""
        return self.properties["shape_before_cropping"][0]


def kept_slices(properties: dict) -> range:
    """Indices, in the original image, of the slices that remain after nnU-Net's crop to non-zero voxels."""
    return range(*(int(bound) for bound in properties["bbox_used_for_cropping"][0]))


def write_preprocessed(folder: str | Path, case: str, preprocessed: PreprocessedCase) -> None:
    """Write ``{case}.npy`` and ``{case}.json``.

    Parameters
    ----------
    folder : path
    case : str
    preprocessed : PreprocessedCase
        `read_preprocessed` returns lists for the tuples among its properties, and Python's numbers for NumPy's.
    """
    np.save(Path(folder) / f"{case}.npy", preprocessed.voxels)
    properties = json.dumps(preprocessed.properties, default=lambda value: value.tolist())
    (Path(folder) / f"{case}.json").write_text(properties)


def read_preprocessed(folder: str | Path, case: str) -> PreprocessedCase:
    """Read what `write_preprocessed` wrote.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    try:
        voxels = np.load(Path(folder) / f"{case}.npy")
        return PreprocessedCase(voxels, json.loads((Path(folder) / f"{case}.json").read_text()))
    except (OSError, ValueError, EOFError) as fault:
        raise InputError(f"{folder}: {case} cannot be read ({fault}); delete the folder and run again") from None


def read_ahead(
    read: Callable[[Item], Output], items: Sequence[Item], pool: ThreadPoolExecutor
) -> Iterator[list[Output]]:
    """Yield ``read(item)`` of `CASES_AT_ONCE` items at a time, in their order.

    Parameters
    ----------
    read : callable
        Is called by the pool's threads. It gains time because reading, NumPy and torch let other threads run.
    items : sequence
    pool : ThreadPoolExecutor
        Reads the next items while the caller works with those that were yielded.
    """
    waiting: deque[list[Future[Output]]] = deque()
    for first in range(0, len(items), CASES_AT_ONCE):
        waiting.append([pool.submit(read, item) for item in items[first : first + CASES_AT_ONCE]])
        if len(waiting) > 1:
            yield [future.result() for future in waiting.popleft()]
    while waiting:
        yield [future.result() for future in waiting.popleft()]
