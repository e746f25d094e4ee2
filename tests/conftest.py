"""What holds for every test."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LONG = (
    "cluster/test_whole.py",
    "cluster/test_interrupted.py",
    "cluster/test_queue.py",
    "cluster/test_controller.py",
    "cluster/test_edits.py",
    "cluster",
    "workflow/test_whole.py",
    "workflow/test_reruns.py",
    "workflow",
    "unit/runtime/test_interruption.py",
    "unit/segmentation",
    "unit/prediction",
    "unit/evaluation/test_answers.py",
)
"""Files and folders whose tests take long, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that at the end no process works alone."""
    items.sort(key=lambda item: duration_rank(item.path.relative_to(Path(__file__).parent)))


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
