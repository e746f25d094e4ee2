"""What holds for every test."""

import signal
from collections.abc import Iterator

import pytest

SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
