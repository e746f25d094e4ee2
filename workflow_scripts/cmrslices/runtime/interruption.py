"""SIGTERM (time limit, preemption, scancel) and SIGINT (Ctrl-C): a message, and a training's last checkpoint."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """The job was told to stop. No `Exception`, so that no library takes it for a fault of its own."""


class Interruption:
    """The signal that came, if one did."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def message(self, epoch: int, iteration: int) -> str:
        """What a training says when it stops: epochs that are done, and mini-batches of the next one."""
        return (
            f"interrupted ({self.signal}) after epoch {epoch}, iteration {iteration}; the next try goes on from there"
        )


@contextlib.contextmanager
def defer_signals() -> Iterator[Interruption]:
    """While the body runs, a signal is only noted; the body looks at the yielded object where it can stop.

    SLURM sends SIGTERM and, after its KillWait of 30 s by default, SIGKILL: look between mini-batches, not epochs.
    It may send SIGTERM more than once: after a noted one, more are ignored.
    """
    interruption = Interruption()

    def note(number: int, _: FrameType | None) -> None:
        interruption.signal = signal.Signals(number).name

    try:
        with _handled(note):
            yield interruption
    finally:
        if interruption.signal:
            _ignore_signals()


@contextlib.contextmanager
def raise_on_signal() -> Iterator[None]:
    """While the body runs, the first signal raises `Interrupted`; in forked processes it ends them, as ever."""
    owner = os.getpid()

    def interrupt(number: int, _: FrameType | None) -> None:
        if os.getpid() != owner:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        _ignore_signals()
        raise Interrupted(f"interrupted ({signal.Signals(number).name})")

    with _handled(interrupt):
        yield


@contextlib.contextmanager
def block_signals() -> Iterator[None]:
    """Keep signals from the worker processes that the body starts; here they come when it ends.

    SLURM signals every process of a job. A worker that ended before the checkpoint is written would take it with it.
    A worker needs `end_with_parent` then.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(_: int | None = None) -> None:
    """In a `block_signals` worker process: let SIGTERM end it if the parent sends it."""
    threading.Thread(target=_wait_for_parents_signal, daemon=True).start()


def _wait_for_parents_signal() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _handled(handler: object) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
