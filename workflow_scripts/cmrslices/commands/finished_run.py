"""The files of a finished run, as commands read them."""

from pathlib import Path

from cmrslices.runtime.errors import InputError


def finished_file(path: Path) -> Path:
    """Return the path of a file of a finished run.

    Raises
    ------
    InputError
        There is no such file.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; let the run finish first")
    return path
