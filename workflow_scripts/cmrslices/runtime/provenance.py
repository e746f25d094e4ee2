"""What made a result: code, configuration, versions and commit."""

import ast
import contextlib
import functools
import hashlib
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import yaml

LIBRARY = Path(__file__).parents[2]
"""Folder of the package and of the scripts."""
PACKAGES = ("snakemake", "nnunetv2", "torch", "torchvision", "SimpleITK", "numpy", "scipy", "pandas")


def code_digest(script: str | Path) -> str:
    """Digest of what a script does: its code and that of every library module it imports.

    Comments, docstrings and layout do not count, so that editing them re-runs nothing.

    Parameters
    ----------
    script : path
        A Python file. Imports of `cmrslices` are followed wherever they stand.

    Returns
    -------
    str
        Hexadecimal, 16 digits.
    """
    digest = hashlib.sha256()
    for path in sorted(_reachable(Path(script).resolve())):
        digest.update(_read(path).digest)
    return digest.hexdigest()[:16]


def _reachable(script: Path) -> set[Path]:
    found, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_read(path).imported)
    return found


class _Source(NamedTuple):
    digest: bytes
    imported: tuple[Path, ...]


@functools.cache
def _read(path: Path) -> _Source:
    """Digest of a file's code without comments and docstrings, and the library files that it imports."""
    tree = ast.parse(path.read_bytes())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(body := getattr(node, "body", None), list):
            node.body = [line for line in body if not _is_text(line)]
    return _Source(hashlib.sha256(ast.dump(tree).encode()).digest(), _library_files(names))


def _library_files(names: set[str]) -> tuple[Path, ...]:
    """Files that an import of these dotted names runs: each module, and the packages around it."""
    candidates = set()
    for name in names:
        parts = name.split(".")
        if parts[0] != "cmrslices":
            continue
        for depth in range(1, len(parts) + 1):
            stem = LIBRARY.joinpath(*parts[:depth])
            candidates |= {stem.with_suffix(".py"), stem / "__init__.py"}
    return tuple(sorted(file for file in candidates if file.is_file()))


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def versions() -> dict[str, str]:
    """Version of each package the results depend on, where it is installed."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def commit() -> str:
    """The project's git commit, with ``-dirty`` where tracked files differ, or ``unknown``."""
    command = ["git", "-C", str(LIBRARY), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def write_provenance(settings: dict, path: str | Path) -> None:
    """Write the resolved configuration, the versions and the commit as YAML."""
    content = {"commit": commit(), "versions": versions(), "configuration": settings}
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
