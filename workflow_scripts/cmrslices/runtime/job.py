"""What surrounds the one call of every job: a lock, a log, and a message if the job fails."""

import contextlib
import errno
import fcntl
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TextIO

from cmrslices.runtime.errors import InputError
from cmrslices.runtime.interruption import Interrupted, handler_restored, raise_on_signal
from cmrslices.runtime.job_plan import check_as_planned

POLL_S = 2
"""Between two tries to get the lock."""
REMIND_S = 300
"""Between two messages that the job waits."""
SETTLE_S = 30
"""From the end of the job that held the lock to the start of this one; see `job_log`."""

SPACE = "the disk or the quota is full; make room, then run again: it goes on from what is complete"
FULL_GPU = "the GPU's memory is full: lower the batch_size, or use a larger GPU"
OTHER_GPU = "this build of torch does not know this GPU; docs/cluster.md (GPUs) says which it knows, and the remedy"
BUSY_GPU = "another process has this GPU to itself; let SLURM assign the GPUs, or run one job at a time"
SHARED_MEMORY = "/dev/shm is full: give the job or the container more shared memory, or the rule fewer threads"
WORKER = "a worker process was killed, likely for memory: give the rule more mem_mb or fewer threads"
REASONS = {
    "CUDA out of memory": FULL_GPU,
    "CUDA error: out of memory": FULL_GPU,
    "CUDNN_STATUS_ALLOC_FAILED": FULL_GPU,
    "CUBLAS_STATUS_ALLOC_FAILED": FULL_GPU,
    "no kernel image is available": OTHER_GPU,
    "busy or unavailable": BUSY_GPU,
    "shared memory": SHARED_MEMORY,
    "unable to write to file </torch_": SHARED_MEMORY,
    "DataLoader worker": WORKER,
}
"""Part of what torch says in a RuntimeError to the reason and the remedy. The first that fits is taken."""


@contextlib.contextmanager
def planned_job(snakemake: Any, script: str | Path) -> Iterator[None]:
    """What every rule's script does around its one call: see `job_log` and `check_as_planned`.

    Parameters
    ----------
    snakemake : snakemake.script.Snakemake
        What Snakemake puts into the script.
    script : path
        The script.
    """
    with job_log(snakemake.log[0]):
        wildcards = dict(snakemake.wildcards.items())
        check_as_planned(snakemake.rule, wildcards, snakemake.input, snakemake.params, script)
        yield


@contextlib.contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Write everything that the body and its worker processes print to a log file, and run one such job at a time.

    When the body fails, the reason goes to the log and to the terminal, and the process exits with status 1. A fault
    that users can mend is shown as its message, without a traceback.

    If the main process of Snakemake is killed, its cluster jobs go on. When Snakemake is started anew, it submits the
    same jobs again. So every job first locks the file ``.<log>.lock``. If another job holds the lock, the job says
    which one, and waits until that job and its worker processes have ended. The log itself cannot be the lock, because
    Snakemake deletes the logs and outputs of a job when it starts it, even while the same job still runs.

    The results of the two jobs do not mix: only one of them writes at a time, and the second one writes all files anew.
    If the first job fails, its Snakemake deletes its outputs; the second job waits `SETTLE_S` after it got the lock,
    so that the deletion is over by then. A training finds the weights or the checkpoint that the first job wrote.

    Parameters
    ----------
    path : path
        The job's log file; its folder is made.
    """
    path = Path(path)
    terminal = os.dup(2)
    saved = os.dup(1)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(raise_on_signal())
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_alone(path, terminal))
            stack.enter_context(_printed_to(path))
            with handler_restored(signal.SIGCHLD):
                yield
        except BaseException as fault:
            reason = _reason(fault)
            with contextlib.suppress(OSError):  # the disk of the log may be full
                sys.stdout.flush()
                print(f"ERROR: {reason}" if reason else traceback.format_exc(), file=sys.stderr, flush=True)
            last_lines = f"ERROR: {reason}" if reason else traceback.format_exc().splitlines()[-1]
            os.write(terminal, f"\n{last_lines}\n(log: {path})\n".encode())
            raise SystemExit(1) from None
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.flush()
            os.dup2(saved, 1)
            os.dup2(terminal, 2)
            os.close(saved)
            os.close(terminal)


@contextlib.contextmanager
def _printed_to(path: Path) -> Iterator[None]:
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("wb", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    yield


@contextlib.contextmanager
def _alone(path: Path, terminal: int) -> Iterator[None]:
    # flock, not lockf: forked workers hold the lock too, and closing another descriptor does not release it.
    with path.with_name(f".{path.name}.lock").open("a+") as file:
        locked = _lock(file, path, lambda line: os.write(terminal, f"{line}\n".encode()))
        if locked:
            file.truncate(0)
            file.write(_myself())
            file.flush()
        try:
            yield
        finally:
            if locked:
                fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: TextIO, path: Path, say: Callable[[str], object]) -> bool:
    waited, next_reminder = False, 0.0
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= next_reminder:
                file.seek(0)
                say(f"waiting for another job with the same output, {file.read()}, to end; or cancel it (log: {path})")
                next_reminder = time.monotonic() + REMIND_S
            waited = True
            time.sleep(POLL_S)
        except OSError as fault:
            say(f"WARNING: no lock on {path.parent} ({fault.strerror}): never run one job twice at once")
            return False
        else:
            break
    if waited:
        say("the other job has ended; going on")
        time.sleep(SETTLE_S)
    return True


def _myself() -> str:
    slurm = os.environ.get("SLURM_JOB_ID")
    return f"process {os.getpid()} on {socket.gethostname()}" + (f", SLURM job {slurm}" if slurm else "")


def _reason(fault: BaseException) -> str | None:
    """Return a message with the remedy, or None if the fault is an error of the code."""
    text = str(fault)
    if isinstance(fault, InputError | Interrupted):
        return text
    if isinstance(fault, RuntimeError):
        for part, reason in REASONS.items():
            if part in text:
                return f"{reason} ({text.splitlines()[0]})"
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        full = SHARED_MEMORY if str(fault.filename).startswith("/dev/shm") else SPACE
        return f"{_place(fault)}{fault.strerror}: {full}"
    if isinstance(fault, OSError) and fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{_place(fault)}{fault.strerror}: let this user write there, or set 'results' to another folder"
    if isinstance(fault, MemoryError):
        return "out of memory: give the rule more mem_mb, or fewer threads"
    if isinstance(fault, BrokenProcessPool):
        return f"{WORKER} ({text})"
    return None


def _place(fault: OSError) -> str:
    return f"{fault.filename}: " if fault.filename else ""
