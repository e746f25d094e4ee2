"""Files that are whole or absent, and second names of files.

A job can be killed at any moment, and a disk can be full. So a file is written under another name first, and gets its
own name when it is complete.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"
"""Suffix of a file that is still being written."""


def write_whole(file: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is whole or absent, whenever the process or the machine stops.

    Parameters
    ----------
    file : path
        The old file stays until the new one is on the disk.
    write : callable
        Writes the content to an open binary file.
    """
    partial = Path(f"{file}{PARTIAL}")
    try:
        with partial.open("wb") as content:
            write(content)
            content.flush()
            os.fsync(content.fileno())
        partial.replace(file)
    except BaseException as fault:
        partial.unlink(missing_ok=True)
        if isinstance(fault.__context__, OSError):  # torch hides a full disk behind an error of its own
            raise fault.__context__ from None
        raise
    sync_folder(partial.parent)


def link_or_copy(file: Path, other: Path) -> None:
    """Give a file a second name: a hard link, or a copy where the file system has no hard links.

    Parameters
    ----------
    file : Path
        An existing file.
    other : Path
        The second name. A file that has this name already is replaced in one step.
    """
    if other.exists() and other.samefile(file):
        return
    new = Path(f"{other}{PARTIAL}")
    new.unlink(missing_ok=True)
    try:
        new.hardlink_to(file)
    except OSError:
        with file.open("rb") as content:
            write_whole(new, lambda stream: shutil.copyfileobj(content, stream))
    new.replace(other)


def sync_folder(folder: Path) -> None:
    """Make sure that new and changed names in a folder are on the disk, where the file system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
