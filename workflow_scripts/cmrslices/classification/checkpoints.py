"""A training's state on disk: written whole, resumed only by the training that wrote it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch


def fingerprint(settings: dict[str, Any], *files: str | Path) -> str:
    """SHA-256 of settings and of files' contents: what a training's course depends on."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for file in files:
        with Path(file).open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


class Checkpoint:
    """One training's file.

    Parameters
    ----------
    file : path
        Where it lies.
    fingerprint : str
        Of the training.
    """

    def __init__(self, file: str | Path, fingerprint: str) -> None:
        self.file = Path(file)
        self.fingerprint = fingerprint

    def load(self) -> dict[str, Any] | None:
        """Return the saved state; another training's file is set aside with the suffix ``.stale``."""
        if not self.file.exists():
            return None
        saved = torch.load(self.file, map_location="cpu", weights_only=True)
        if saved["fingerprint"] == self.fingerprint:
            return saved["state"]
        stale = self.file.with_name(self.file.name + ".stale")
        print(f"{self.file.name} was made under other settings or data: kept as {stale.name}, training starts anew")
        self.file.replace(stale)
        return None

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file in one step, so that a kill leaves the old one or the new one."""
        save_whole({"fingerprint": self.fingerprint, "state": state}, self.file)

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self.file.unlink(missing_ok=True)


def save_whole(content: Any, file: str | Path) -> None:
    """`torch.save` to a temporary file that then takes the name."""
    partial = Path(f"{file}.partial")
    torch.save(content, partial)
    partial.replace(file)
