"""What a job does when it is told to stop: it says so, and a training writes its last checkpoint first.

A job is told to stop by SIGTERM (time limit, preemption, scancel) or by SIGINT (Ctrl-C).
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """The job was told to stop.

    It does not inherit from `Exception`, so that no library catches it as an error of its own.
    """


class Interruption:
    """The name of the signal that came, or None."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def message(self, epoch: int, iteration: int) -> str:
        """Return what a training says when it stops.

        Parameters
        ----------
        epoch, iteration : int
            How many epochs are done, and how many mini-batches of the next one.
        """
        return (
            f"interrupted ({self.signal}) after epoch {epoch}, iteration {iteration}; the next try goes on from there"
        )


@contextlib.contextmanager
def defer_signals() -> Iterator[Interruption]:
    """While the body runs, only note a signal; the body stops by itself when it next looks at the yielded object.

    The body must look after every mini-batch, not only after every epoch, because SLURM sends SIGTERM and soon
    afterwards SIGKILL (after KillWait, by default 30 s). SLURM may send SIGTERM more than once, so if a signal came
    while the body ran, signals are ignored afterwards.
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
    """While the body runs, the first signal raises `Interrupted`; later ones are ignored.

    In forked processes a signal does what it does by default: it ends them.
    """
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
def handler_restored(number: int) -> Iterator[None]:
    """Give a signal back, after the body, the handler that it had before, even if the body's handler raises.

    torch's handler of SIGCHLD raises whenever a worker process ends after one of them was killed: a fault of the body,
    which must not come a second time while its reason is being written.

    Parameters
    ----------
    number : int
        The signal.
    """
    before = signal.getsignal(number)
    try:
        yield
    finally:
        while signal.getsignal(number) is not before:
            with contextlib.suppress(Exception):  # a signal that came just before
                signal.signal(number, before)


@contextlib.contextmanager
def block_signals() -> Iterator[None]:
    """Block SIGTERM and SIGINT for the worker processes that the body starts.

    This process gets a signal that came meanwhile when the body ends.

    SLURM signals every process of a job. If a worker ended before the checkpoint is written, the training would fail
    without having written one. The workers need `end_with_parent`, because otherwise only SIGKILL would end them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(_: int | None = None) -> None:
    """Let SIGTERM end this worker process, but only if its parent process sends it; see `block_signals`."""
    threading.Thread(target=_wait_for_parents_signal, daemon=True).start()


def _wait_for_parents_signal() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
