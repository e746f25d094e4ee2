"""Folders that are whole or absent; see `cmrslices.runtime.files` for single files."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """Give a folder to write into, which gets its own name when it is complete.

    Parameters
    ----------
    folder : path
        An old folder with this name stays until the new one is complete.

    Yields
    ------
    Path
        An empty folder beside it. After an error it is removed.
    """
    folder = Path(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # a killed process may have left it
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
