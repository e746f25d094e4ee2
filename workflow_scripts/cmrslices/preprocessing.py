"""Unseen cases as nnU-Net preprocesses them, read ahead of the network."""

import gzip
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from cmrslices.errors import InputError

CASES_AT_ONCE = 8
"""Cases in memory together; as many again are being read, and being written."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def preprocess(
    image: Path, plans: PlansManager, configuration: ConfigurationManager, dataset: dict
) -> tuple[np.ndarray, dict]:
    """Read, crop, normalise and resample one image, as nnU-Net does.

    Parameters
    ----------
    image : path
        A case's image.
    plans, configuration, dataset
        nnU-Net's plans, a 2D configuration of them, and the content of ``dataset.json``.

    Returns
    -------
    ndarray (1, z, y, x), dict
        The image, float32, and what nnU-Net noted about it.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    try:
        _check_whole(image)
        data, _, properties = DefaultPreprocessor(verbose=False).run_case(
            [str(image)], None, plans, configuration, dataset
        )
    except (RuntimeError, EOFError, gzip.BadGzipFile, zlib.error) as fault:  # RuntimeError is SimpleITK's
        reason = str(fault).strip().splitlines()[-1]
        raise InputError(f"{image}: cannot be read ({reason}); convert its cohort again") from None
    return data, properties


def read_ahead(
    read: Callable[[Item], Result], items: Sequence[Item], pool: ThreadPoolExecutor
) -> Iterator[list[Result]]:
    """Yield ``read(item)`` of `CASES_AT_ONCE` items at a time, in their order.

    Parameters
    ----------
    read : callable
        SimpleITK, SciPy and torch let other threads run meanwhile.
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


def _check_whole(image: Path) -> None:
    # SimpleITK fills with zeros what is missing of a truncated file.
    with gzip.open(image) as content:
        while content.read(2**20):
            pass
