"""Studies that are converted already: kept beside the outputs, and used again while their sources are unchanged."""

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from cmrslices.runtime.files import write_whole

ROWS = "rows.json"


def source_digest(settings: object, files: Iterable[Path]) -> str:
    """Digest of what a study is made from.

    Parameters
    ----------
    settings : object
        Whatever else decides the result; JSON.
    files : iterable of Path
        The source's files, of which path, size and time of change count; a missing one counts as missing.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for file in sorted(files):
        try:
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        except OSError:
            digest.update(f"{file}\0missing\0".encode())
    return digest.hexdigest()


def load_rows(folder: Path, made_from: str) -> list[dict] | None:
    """Rows of cases.csv of a finished study, or None where there is none that was made from the same things."""
    try:
        kept = json.loads((folder / ROWS).read_text())
    except (OSError, ValueError):
        return None
    return kept["rows"] if kept["made_from"] == made_from else None


def save_rows(folder: Path, made_from: str, rows: list[dict]) -> None:
    """Mark a study as finished; its files are in the folder already."""
    text = json.dumps({"made_from": made_from, "rows": rows}, default=_plain)
    write_whole(folder / ROWS, lambda stream: stream.write(text.encode()))


def _plain(value: object) -> object:
    """Python's own type of a NumPy scalar."""
    return value.item()


def forget_others(store: Path, names: Collection[str]) -> None:
    """Remove the studies that are not among the names."""
    for folder in store.iterdir() if store.is_dir() else ():
        if folder.name not in names:
            shutil.rmtree(folder)
