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
        A function of a module or a partial of one, because other processes must find it by its name.
    items : sequence
    threads : int
        Number of worker processes; with 1, everything runs in this process.
    unit : str
        What an item is, for the progress bar on stderr.
    """
    if threads == 1:
        yield from tqdm(map(function, items), total=len(items), unit=unit)
        return
    # Fork, because a new interpreter would run the job's script again, whose call is not guarded by __main__.
    with ProcessPoolExecutor(threads, mp_context=multiprocessing.get_context("fork")) as pool:
        gc.freeze()  # a fork that freed objects of this process could wait for threads that exist only here
        results = pool.map(function, items)
        gc.unfreeze()
        yield from tqdm(results, total=len(items), unit=unit)
