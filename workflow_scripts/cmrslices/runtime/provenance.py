"""The record of what made a result: configuration, versions, commit, and code that was accepted as the same."""

import contextlib
import subprocess
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from cmrslices.runtime import device_record
from cmrslices.runtime.accepted_code import FILE, read_accepted
from cmrslices.runtime.device_record import read_tries
from cmrslices.runtime.trained_weights import TRAININGS

PROJECT = Path(__file__).parents[3]
PACKAGES = ("snakemake", "nnunetv2", "torch", "torchvision", "SimpleITK", "numpy", "scipy", "pandas")


def versions() -> dict[str, str]:
    """Version of each package the results depend on, where it is installed."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def workflow_version() -> str:
    """Version of this workflow, from pyproject.toml."""
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]


def commit() -> str:
    """The project's git commit, with ``-dirty`` where tracked files differ, or ``unknown``."""
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def trainings(results: str | Path, settings: dict[str, Any]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What each training computed on, as far as it is recorded.

    Parameters
    ----------
    results : path
        The results folder.
    settings : dict
        The resolved configuration.

    Returns
    -------
    dict
        ``models`` and ``classifiers``: the name of each to its tries, see `cmrslices.runtime.devices.used`. Trainings
        without a record are left out.
    """
    networks = settings.get("classification", {}).get("networks", {})
    return {
        "models": _tries(results, "train_segmenter", settings.get("models", {})),
        "classifiers": _tries(results, "train_classifier", networks),
    }


def _tries(results: str | Path, rule: str, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Read the tries of the trainings of one rule that have a record."""
    record = PurePosixPath(TRAININGS[rule]).with_name(device_record.NAME)
    return {name: read_tries(file) for name in names for file in Path(results).glob(str(record).format(name=name))}


def write_provenance(settings: dict[str, Any], path: str | Path) -> None:
    """Write what made the results as YAML: commit, versions, accepted code, devices and the resolved configuration.

    Parameters
    ----------
    settings : dict
        The resolved configuration.
    path : path
        The file to write, in the results folder. The record of accepted code lies beside it, if there is one.
    """
    accepted = read_accepted(Path(path).with_name(FILE))
    _write(
        {
            "workflow": workflow_version(),
            "commit": commit(),
            "versions": versions(),
            **({"accepted_code": accepted} if accepted else {}),
            "trainings": trainings(Path(path).parent, settings),
            "configuration": settings,
        },
        path,
    )


def record_accepted(path: str | Path, accepted: list[dict[str, Any]]) -> None:
    """Put the accepted code into the record of a finished run, if there is one."""
    path = Path(path)
    if path.exists():
        content = yaml.safe_load(path.read_text())
        configuration = content.pop("configuration")
        _write({**content, "accepted_code": accepted, "configuration": configuration}, path)


def _write(content: dict[str, Any], path: str | Path) -> None:
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
