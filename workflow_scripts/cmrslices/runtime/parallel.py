"""One loop over patients or cases, with a progress bar, on one or more processes."""

import gc
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Output = TypeVar("Output")


def map_progress(
    function: Callable[[Item], Output], items: Sequence[Item], threads: int, unit: str
) -> Iterator[Output]:
    """Yield ``function(item)`` for every item, in their order.

    Parameters
    ----------
    function : callable
        A module's function or a partial of one.
    items : sequence
    threads : int
        Processes; 1 stays in this one.
    unit : str
        What an item is, for the progress bar on stderr.
    """
    if threads == 1:
        yield from tqdm(map(function, items), total=len(items), unit=unit)
        return
    # Fork, because a fresh interpreter would run the job's script again: it has no guarded main module.
    with ProcessPoolExecutor(threads, mp_context=multiprocessing.get_context("fork")) as pool:
        gc.freeze()  # a fork that frees this process's garbage would wait for threads that it does not have
        results = pool.map(function, items)
        gc.unfreeze()
        yield from tqdm(results, total=len(items), unit=unit)
