"""A digest of the code that a rule runs: its script, and every library module that the script imports.

Snakemake runs a rule again when its parameter ``code`` changes, and that parameter is this digest. So the digest must
change when the code computes something else, and only then. It does not change

- when a comment, a docstring or the layout of the code changes,
- when a module is moved or its imports are sorted in another way,
- when another version of Python reads the same code (3.11, 3.12 and 3.13 were compared).

This module needs Python's standard library only.
"""

import ast
import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterator
from importlib.util import cache_from_source
from json.encoder import encode_basestring_ascii as _json_text
from pathlib import Path
from typing import Any, NamedTuple

LIBRARY = Path(__file__).parents[2]
"""Folder of the rules' scripts and of the package `cmrslices`."""

DERIVED_FIELDS = {"ctx", "kind", "type_comment"}
"""Fields of Python's syntax tree that say nothing about what the code computes."""

EMPTY = '["Module"]'
"""JSON of a file without code."""

KEEPER = Path(__file__).read_bytes()
"""What is kept of a file is used as long as this module is the same."""


def code_digest(script: str | Path) -> str:
    """Digest of what a script does: its code and that of every library module that it imports.

    Import statements count by what they bind, not by where it lies: a name of the library counts by the code of its
    module, another name by its dotted name.

    Parameters
    ----------
    script : path
        A Python file. Imports of `cmrslices` are followed wherever they are written.

    Returns
    -------
    str
        Hexadecimal, 16 digits.
    """
    parts = {_digest([_read(path).code, *_bindings(path)]) for path in code_files(script) if _read(path).does_something}
    return _digest(sorted(parts))[:16]


def forget() -> None:
    """Read the code anew at the next call; a process keeps what it has read."""
    _read.cache_clear()
    _module_file.cache_clear()


def code_files(script: str | Path) -> set[Path]:
    """A script and every library module that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [Path(script).resolve()]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_read(path).imported_files)
    return found


class _Import(NamedTuple):
    """A name that an import statement binds: ``from source import attribute as name``."""

    name: str
    source: str
    attribute: str
    file: Path | None
    """Of the library's module that the name is or comes from."""


class _Content(NamedTuple):
    """What a file's bytes say: its code without imports, and name, source and attribute of what these bind."""

    code: str
    names: list[tuple[str, str, str]]


class _Source(NamedTuple):
    """A file's code without import statements, as a digest, the names that these bind, and the files that they run."""

    code: str
    imports: tuple[_Import, ...]
    imported_files: frozenset[Path]
    does_something: bool


@functools.cache
def _read(path: Path) -> _Source:
    code, names = _content(path)
    imports = tuple(_bound(*name) for name in names)
    files = frozenset(file for _, source, attribute in names for file in _imported_files(_dotted(source, attribute)))
    return _Source(code, imports, files, code != _sha256(EMPTY) or bool(imports))


def _content(path: Path) -> _Content:
    """Content of a file: as it was kept when the same bytes were parsed before, or parsed.

    Parsing all code takes a sixth of a dry run, and each job on a cluster needs it twice. So it is kept where Python
    keeps the compiled code, or not at all if nothing can be written there.
    """
    source = path.read_bytes()
    made_from = hashlib.sha256(KEEPER + source).hexdigest()
    place = Path(cache_from_source(str(path))).with_name(f"{path.stem}.code.json")
    try:
        kept = json.loads(place.read_bytes())
        if kept["made_from"] == made_from:
            return _Content(kept["code"], kept["names"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    content = _parsed(source, path)
    _keep({"made_from": made_from, **content._asdict()}, place)
    return content


def _parsed(source: bytes, path: Path) -> _Content:
    writer = _Writer()
    code = _sha256(writer.json_of(ast.parse(source)))
    return _Content(code, [name for statement in writer.imports for name in _bound_names(statement, path)])


def _keep(content: dict[str, Any], place: Path) -> None:
    """Write a file in one step, because many jobs may write it at once.

    It can be made again, so this does not wait for the disk, as `write_whole` does.
    """
    partial = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(content))
        partial.replace(place)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _bound_names(statement: ast.Import | ast.ImportFrom, path: Path) -> list[tuple[str, str, str]]:
    """Name, source and attribute of what an import statement binds."""
    if isinstance(statement, ast.Import):
        return [(alias.asname or alias.name, alias.name, "") for alias in statement.names]
    if statement.level:
        raise ValueError(f"{path}, line {statement.lineno}: a relative import; write the module's full name")
    return [(alias.asname or alias.name, statement.module or "", alias.name) for alias in statement.names]


def _bound(name: str, source: str, attribute: str) -> _Import:
    for module, rest in ((_dotted(source, attribute), ""), (source, attribute)):
        file = _module_file(module)
        if file:
            return _Import(name, source, rest, file)
    return _Import(name, source, attribute, None)


def _dotted(source: str, attribute: str) -> str:
    return f"{source}.{attribute}" if attribute else source


def _bindings(path: Path) -> list[str]:
    """What a file's import statements bind, in an order of their names."""
    return sorted({json.dumps(_binding(name)) for name in _read(path).imports})


def _binding(name: _Import) -> list[str]:
    return [name.name, _read(name.file).code if name.file else name.source, name.attribute]


def _imported_files(module: str) -> list[Path]:
    """Library files that an import of this dotted name runs: the module, and the packages around it."""
    parts = module.split(".")
    stems = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return [file for stem in stems if (file := _module_file(stem))]


@functools.cache
def _module_file(module: str) -> Path | None:
    """File of a module or package of the library, by its dotted name."""
    if module.partition(".")[0] != "cmrslices":
        return None
    stem = LIBRARY.joinpath(*module.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


class _Writer:
    """Writes a syntax tree as JSON: lists and text that are the same on every version of Python.

    Docstrings, other bare texts and import statements are left out; the statements are collected in `imports`. Fields
    that are absent or empty are left out, because newer versions of Python add such fields. The JSON is written at once
    and not from lists, because each call of Snakemake and each of its jobs reads all code.
    """

    def __init__(self) -> None:
        self.imports: list[ast.Import | ast.ImportFrom] = []

    def json_of(self, node: Any) -> str:
        """JSON of a node, of a list of nodes, or of a plain value."""
        if isinstance(node, ast.Constant):
            return f'["Constant", "{type(node.value).__name__}", {_json_text(repr(node.value))}]'
        if isinstance(node, ast.JoinedStr):
            return f'["JoinedStr", {self.json_of(_merged_texts(node.values))}]'
        if isinstance(node, ast.AST):
            return f'["{type(node).__name__}"{"".join(self._fields(node))}]'
        if isinstance(node, list):
            return f"[{', '.join([self.json_of(part) for part in node])}]"
        return _json_text(repr(node))

    def _fields(self, node: ast.AST) -> Iterator[str]:
        for name in node._fields:
            value = getattr(node, name, None)
            if name not in DERIVED_FIELDS and value is not None:
                counted = [part for part in value if self._counts(part)] if isinstance(value, list) else value
                if counted != []:
                    yield f', ["{name}", {self.json_of(counted)}]'

    def _counts(self, node: Any) -> bool:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.append(node)
            return False
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        return not is_text


def _merged_texts(parts: list[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string in which neighbouring texts are one text; versions of Python split them differently."""
    merged: list[ast.expr] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(str(last.value) + str(part.value))
        elif not (isinstance(part, ast.Constant) and part.value == ""):
            merged.append(part)
    return merged


def _digest(content: Any) -> str:
    return _sha256(json.dumps(content))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
