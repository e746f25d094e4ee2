"""The state of a training on disk: a training resumes only a checkpoint that it wrote itself.

Segmenters and classifiers share this module. A checkpoint holds a digest of what it was made from under the key
``made_from``; nnU-Net's checkpoints hold it among their ``init_args``.
"""

import contextlib
import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy._core import multiarray

from cmrslices.runtime.errors import InputError
from cmrslices.runtime.files import PARTIAL, link_or_copy, sync_folder, write_whole

# What nnU-Net's checkpoints hold besides tensors and Python's own types.
NUMPY_TYPES: list[Any] = [
    np.ndarray,
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
    (multiarray.scalar, "numpy._core.multiarray.scalar"),
    (multiarray._reconstruct, "numpy._core.multiarray._reconstruct"),
]


def training_digest(settings: dict[str, Any], *paths: str | Path) -> str:
    """SHA-256 of what a training's course depends on.

    Parameters
    ----------
    settings : dict
        Whatever JSON holds.
    *paths : path
        Files count by their content, folders by the names and sizes of their files: the store is compressed, so
        that other images have other sizes, and it is too large to be read for this.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in map(Path, paths):
        if path.is_dir():
            listing = sorted((str(file.relative_to(path)), file.stat().st_size) for file in path.rglob("*.*"))
            digest.update(json.dumps(listing).encode())
        else:
            with path.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def save_whole(content: Any, file: str | Path) -> None:
    """`torch.save` through `write_whole`."""
    write_whole(file, lambda stream: torch.save(content, stream))


def read_checkpoint(file: str | Path) -> dict[str, Any]:
    """Read a checkpoint of a segmenter or a classifier to the CPU, without unpickling code.

    Raises
    ------
    ValueError
        The file is damaged, or holds more than tensors, numbers and text.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.testzip():
                raise ValueError(f"{file}: checksums do not fit")
        with torch.serialization.safe_globals(NUMPY_TYPES):
            return torch.load(file, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, pickle.UnpicklingError, EOFError) as fault:
        raise ValueError(f"{file}: {fault}") from fault


def read_weights(file: str | Path) -> dict[str, Any]:
    """Read the weights of a finished training, as `read_checkpoint` does.

    Raises
    ------
    InputError
        The file is damaged, or holds more than tensors, numbers and text.
    """
    try:
        return read_checkpoint(file)
    except ValueError as fault:
        reason = str(fault).splitlines()[0]  # torch adds advice for programmers
        raise InputError(f"{reason}; these weights cannot be read: delete the file and run again") from None


class Checkpoint:
    """The state of one training that has not ended.

    A file under its name is whole, so a damaged one is the disk's fault. For that case the one before it is kept.

    Parameters
    ----------
    file : path
        Where it lies.
    made_from : str
        What `training_digest` gives for the training.
    """

    def __init__(self, file: str | Path, made_from: str) -> None:
        self.file = Path(file)
        self.made_from = made_from

    @property
    def previous(self) -> Path:
        """The checkpoint before the last one."""
        return self.file.with_name(f"{self.file.stem}_previous{self.file.suffix}")

    def find(self) -> Path | None:
        """Return the newest file that this training can go on from.

        A damaged file is set aside with the suffix ``.damaged``, one of other settings, data or code with ``.stale``.
        What a kill left half-written, here or beside, is removed.
        """
        for leftover in (*self.file.parent.glob(f"*{PARTIAL}"), *self.file.parent.glob("*.new")):
            leftover.unlink()
        for file in (self.file, self.previous):
            if not file.exists():
                continue
            try:
                if _digest_in(read_checkpoint(file)) == self.made_from:
                    return file
            except ValueError as fault:
                _set_aside(file, "damaged", f"is damaged ({fault})")
            else:
                _set_aside(file, "stale", "was made from other settings, data or code")
        return None

    def load(self) -> dict[str, Any] | None:
        """Return the state that `save` wrote, if there is one to go on from."""
        file = self.find()
        return read_checkpoint(file)["state"] if file else None

    def save(self, state: dict[str, Any]) -> None:
        """Write the state of a classifier's training."""
        self.write(lambda stream: torch.save({"made_from": self.made_from, "state": state}, stream))

    def write(self, write: Callable[[BinaryIO], None]) -> None:
        """Write the file anew; what was there becomes the previous one.

        A kill leaves the old file, the new one, or, for a moment, the old one under the name of the previous.
        """
        new = Path(f"{self.file}.new")
        write_whole(new, write)
        if self.file.exists():
            self.file.replace(self.previous)
        new.replace(self.file)
        sync_folder(self.file.parent)

    def remove(self) -> None:
        """Delete all files."""
        for file in (self.file, self.previous):
            file.unlink(missing_ok=True)


class FinishedTraining:
    """The weights of a training that has ended, under a second name too.

    Snakemake deletes a job's outputs before the job starts. After its main process was killed, it submits a job whose
    predecessor may still run, or end, unseen; without the second name, a hard link, that would delete a training.

    Parameters
    ----------
    file : path
        The job's output.
    made_from : str
        What `training_digest` gives for the training.
    """

    def __init__(self, file: str | Path, made_from: str) -> None:
        self.file = Path(file)
        self.made_from = made_from

    @property
    def kept(self) -> Path:
        """The second name."""
        return self.file.with_name(f"{self.file.stem}_kept{self.file.suffix}")

    def find(self) -> dict[str, Any] | None:
        """Return the content if the result was made from the same things; it then has both names."""
        for file, other in ((self.file, self.kept), (self.kept, self.file)):
            with contextlib.suppress(FileNotFoundError, ValueError):
                content = read_checkpoint(file)
                if _digest_in(content) == self.made_from:
                    link_or_copy(file, other)
                    print(f"finished before, from the same settings, data and code; to train anew, delete {self.kept}")
                    return content
        return None

    def keep(self) -> None:
        """Give the result its second name."""
        link_or_copy(self.file, self.kept)


def _digest_in(content: dict[str, Any]) -> str | None:
    return content.get("init_args", content).get("made_from")


def _set_aside(file: Path, suffix: str, reason: str) -> None:
    aside = file.with_name(f"{file.name}.{suffix}")
    print(f"{file.name} {reason}: set aside as {aside.name}, not gone on from", flush=True)
    file.replace(aside)
