"""What every job does around its one call: log, versions, and a message on failure."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from cmrslices.errors import InputError


@contextlib.contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Send everything that is printed, by worker processes too, to a log file.

    When the body fails, the reason goes to the log and to the terminal, and the
    process exits with status 1. An `InputError` is shown as its message alone.

    Parameters
    ----------
    path : path
        The job's log file; its folder is made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.dup(2)
    saved = os.dup(1)
    with path.open("wb", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
    except BaseException as fault:
        expected = isinstance(fault, InputError)
        reason = f"ERROR: {fault}\n" if expected else traceback.format_exc()
        print(reason, file=sys.stderr, flush=True)
        os.write(terminal, f"\n{reason if expected else reason.splitlines()[-1]}\n(log: {path})\n".encode())
        raise SystemExit(1) from None
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved, 1)
        os.dup2(terminal, 2)
        os.close(saved)
        os.close(terminal)
