"""A digest of the code that a rule runs: its script, and every library module that the script imports.

Snakemake runs a rule again when its parameter ``code`` changes, and that parameter is this digest. So the digest must
change when the code computes something else, and only then. It does not change

- when a comment, a docstring or the layout of the code changes,
- when a module is moved or its imports are sorted in another way,
- when another version of Python reads the same code (3.11, 3.12 and 3.13 were compared).

This module needs Python's standard library only.
"""

import ast
import functools
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

LIBRARY = Path(__file__).parents[2]
"""Folder of the rules' scripts and of the package `cmrslices`."""

DERIVED_FIELDS = {"ctx", "kind", "type_comment"}
"""Fields of Python's syntax tree that say nothing about what the code computes."""


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


def code_files(script: str | Path) -> set[Path]:
    """A script and every library module that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [Path(script).resolve()]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(file for name in _read(path).imports for file in _imported_files(name.dotted))
    return found


class _Import(NamedTuple):
    """A name that an import statement binds: ``from source import attribute as name``."""

    name: str
    source: str
    attribute: str

    @property
    def dotted(self) -> str:
        return f"{self.source}.{self.attribute}" if self.attribute else self.source


class _Source(NamedTuple):
    """A file's code without import statements, as a digest, and the names that its import statements bind."""

    code: str
    imports: tuple[_Import, ...]
    does_something: bool


@functools.cache
def _read(path: Path) -> _Source:
    tree = ast.parse(path.read_bytes())
    imports: list[_Import] = []
    code = _canonical(_Stripper(imports, path).visit(tree))
    return _Source(_digest(code), tuple(imports), bool(tree.body or imports))


class _Stripper(ast.NodeTransformer):
    """Takes docstrings, other bare texts and import statements out of a syntax tree, and collects the imports."""

    def __init__(self, imports: list[_Import], path: Path) -> None:
        self.imports = imports
        self.path = path

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.imports += [_Import(alias.asname or alias.name, alias.name, "") for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            raise ValueError(f"{self.path}, line {node.lineno}: a relative import; write the module's full name")
        source = node.module or ""
        self.imports += [_Import(alias.asname or alias.name, source, alias.name) for alias in node.names]


def _bindings(path: Path) -> list[str]:
    """What a file's import statements bind, in an order of their names."""
    return sorted({json.dumps(_binding(name)) for name in _read(path).imports})


def _binding(name: _Import) -> list[str]:
    for module, attribute in ((name.dotted, ""), (name.source, name.attribute)):
        file = _module_file(module)
        if file:
            return [name.name, _read(file).code, attribute]
    return [name.name, name.source, name.attribute]


def _imported_files(module: str) -> list[Path]:
    """Library files that an import of this dotted name runs: the module, and the packages around it."""
    parts = module.split(".")
    stems = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return [file for stem in stems if (file := _module_file(stem))]


def _module_file(module: str) -> Path | None:
    """File of a module or package of the library, by its dotted name."""
    if module.partition(".")[0] != "cmrslices":
        return None
    stem = LIBRARY.joinpath(*module.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _canonical(node: Any) -> Any:
    """A syntax tree as lists and text that are the same on every version of Python.

    Fields that are absent or empty are left out, because newer versions add such fields.
    """
    if isinstance(node, ast.JoinedStr):
        return ["JoinedStr", [_canonical(part) for part in _merged_texts(node.values)]]
    if isinstance(node, ast.Constant):
        return ["Constant", type(node.value).__name__, repr(node.value)]
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if name not in DERIVED_FIELDS]
        return [type(node).__name__, *([name, _canonical(value)] for name, value in fields if value not in (None, []))]
    if isinstance(node, list):
        return [_canonical(part) for part in node]
    return repr(node)


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
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
