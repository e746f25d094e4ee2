"""What holds for every test."""

import os
import signal
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from cmrslices.runtime.cores import share_cores

# The processes of the tests are more than the cores, and their networks so small that threads only wait for each other.
# Before a test imports torch: libgomp reads both when it is loaded.
share_cores(os.environ)
os.environ.setdefault("OMP_NUM_THREADS", "1")

TESTS = Path(__file__).parent
SIGNALS = (signal.SIGTERM, signal.SIGINT)
LONG = (
    "cluster/test_whole.py",
    "cluster/test_interrupted.py",
    "cluster/test_queue.py",
    "cluster/test_controller.py",
    "cluster/test_edits.py",
    "cluster",
    "workflow/test_whole.py",  # makes the finished run that others wait for
    "unit/runtime/test_interruption.py",
    "workflow/test_dag.py",
    "workflow/test_reruns.py",
    "workflow",
    "unit/segmentation",
    "unit/prediction",
    "unit/evaluation/test_answers.py",
)
"""Files and folders whose tests take long, in the order in which they start."""
WAITING = "tests/cluster/"
"""Where tests wait for SLURM most of the time; no two of them need the same process."""


class Groups(LoadScopeScheduling):
    """Hands out files of tests to the processes, and those tests alone that wait."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Groups:
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that at the end no process works alone.

    What waits comes between what works, so that there is always work for every core.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: duration_rank(item.path.relative_to(TESTS))):
        groups.setdefault(group_of(item.nodeid), []).append(item)
    waiting = [tests for name, tests in groups.items() if name.startswith(WAITING)]
    working = [tests for name, tests in groups.items() if not name.startswith(WAITING)]
    items[:] = chain.from_iterable(in_turn(working, waiting))


def group_of(test: str) -> str:
    """What one process runs: the tests of a file, or one test that waits."""
    return test if test.startswith(WAITING) else test.partition("::")[0]


def in_turn(first: Iterable, second: Iterable) -> list:
    """The members of both, one of each in turn.

    >>> in_turn("abcd", "xy")
    ['a', 'x', 'b', 'y', 'c', 'd']
    """
    return [member for pair in zip_longest(first, second) for member in pair if member is not None]


def duration_rank(file: Path) -> int:
    """Place of a file's row, or of that of its nearest folder, in LONG."""
    rows = [LONG.index(str(path)) for path in (file, *file.parents) if str(path) in LONG]
    return rows[0] if rows else len(LONG)


def handlers() -> dict:
    return {number: signal.getsignal(number) for number in SIGNALS}


@pytest.fixture(autouse=True)
def no_handler_is_left() -> Iterator[None]:
    """A signal that a test leaves ignored is ignored by the commands of later tests, too, which may then never end."""
    before = handlers()
    yield
    assert handlers() == before


@pytest.fixture
def restored_handlers() -> Iterator[None]:
    """Handle signals as before when the test ends; a training that was told to stop ignores them from then on."""
    before = handlers()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
