"""Converted patients, kept beside the outputs: they are used again as long as their raw files are unchanged."""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cmrslices.runtime.files import write_whole

ROWS = "rows.json"
"""File with a converted patient's rows of cases.csv and the digest of their sources."""


def source_digest(settings: object, files: Iterable[Path]) -> str:
    """Digest of everything from which a patient is converted.

    Parameters
    ----------
    settings : object
        What decides the result beside the files; must be JSON.
    files : iterable of Path
        The raw files. Path, size and time of change count, and that a file is missing.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for file in sorted(files):
        digest.update(os.fsencode(file))  # a name need not be UTF-8
        try:
            status = file.stat()
            digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        except OSError:
            digest.update(b"\0missing\0")
    return digest.hexdigest()


def load_rows(folder: Path, made_from: str) -> list[dict] | None:
    """Read the rows of a converted patient; None if there are none, or if they were made from other sources."""
    try:
        kept = json.loads((folder / ROWS).read_text())
    except (OSError, ValueError):
        return None
    return kept["rows"] if kept["made_from"] == made_from else None


def save_rows(folder: Path, made_from: str, rows: list[dict]) -> None:
    """Mark a patient as converted; the image and label files are in the folder already."""
    text = json.dumps({"made_from": made_from, "rows": rows}, default=np.generic.item)

    def write(stream: BinaryIO) -> None:
        stream.write(text.encode())

    write_whole(folder / ROWS, write)


def forget_others(store: Path, names: Collection[str]) -> None:
    """Remove the folders of patients that are not among the names."""
    for folder in store.iterdir() if store.is_dir() else ():
        if folder.name not in names:
            shutil.rmtree(folder)
