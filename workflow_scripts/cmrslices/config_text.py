"""The text of configuration files: what is lost once YAML has read it, and what YAML makes of names.

YAML keeps the last of two equal keys, and reads `no` as a truth value and `0010` as the number 8. The values that
Snakemake hands over no longer show that, so the text of the files is looked at, too.
"""

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from cmrslices.runtime.errors import CollectedErrors

NAME_PATTERN = "^[a-z][a-z0-9_]*$"
NAME_RULE = "a name has lower-case letters, digits and _, and starts with a letter, such as site_1"
TRUTH_VALUES = {"yes", "no", "on", "off", "true", "false"}
MISSING_VALUES = {"na", "nan", "null", "none", "n/a", "~"}
INFINITE_VALUES = {"inf", "infinity"}
NUMBER = re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)(e[-+]?\d+)?", re.IGNORECASE)

Place = tuple[str, ...]
"""The keys, as typed, that lead to a part of a file."""


def check_files(files: Iterable[str | Path], keys: Iterable[str]) -> None:
    """Check the text of configuration files that Snakemake has read.

    Parameters
    ----------
    files : paths
        YAML or JSON. A file that YAML cannot read is left to Snakemake, which names it.
    keys : strings
        Top-level keys of this workflow. Elsewhere, in the configuration of another workflow that uses this one as a
        module, only repeated keys are looked for.

    Raises
    ------
    CollectedErrors
        It has a line for each key that is written twice in one mapping, for each key that YAML does not read as text,
        and for each number that YAML reads as another one. A line names the file, the line number and the key.
    """
    own = set(keys)
    faults = [
        f"{file}, {fault}"
        for file in dict.fromkeys(map(str, files))
        for fault in _faults(_compose(Path(file).read_text(encoding="utf-8")), own)
    ]
    if faults:
        raise CollectedErrors(faults)


def name_fault(name: object) -> str:
    """Say why a name, as it was read, cannot name a row, and what a name looks like."""
    if not isinstance(name, str):
        return f"YAML reads a name here as {reading(name)}; {NAME_RULE}"
    meaning = other_meaning(name)
    return f"'{name}' cannot be a name" + (f": it is read as {meaning}" if meaning else "") + f"; {NAME_RULE}"


def other_meaning(text: str) -> str | None:
    """What YAML or a reader of tables takes a word for, if not for text."""
    word = text.lower()
    if word in TRUTH_VALUES:
        return "a truth value"
    if word in MISSING_VALUES:
        return "a missing value"
    if word in INFINITE_VALUES or NUMBER.fullmatch(text):
        return "a number"
    return None


def reading(value: object) -> str:
    """What YAML has made of a word, in words: ``the number 8``."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        typed = "yes, on and true are" if value else "no, off and false are"
        return f"the truth value {str(value).lower()} ({typed} such words)"
    if isinstance(value, int | float):
        return f"the number {value}"
    return f"the {type(value).__name__} {value}"


def _compose(text: str) -> yaml.Node | None:
    # YAML allows no tabs where JSON does. In JSON no text holds a tab, so that they can be replaced there.
    for readable in (text, text.replace("\t", " ")):
        try:
            return yaml.compose(readable, Loader=yaml.FullLoader)
        except yaml.YAMLError:
            continue
    return None


def _faults(root: yaml.Node | None, own: set[str]) -> Iterator[str]:
    for place, node in _nodes(root, (), set()):
        if isinstance(node, yaml.MappingNode):
            yield from _repeated_keys(place, node)
            yield from (_key_fault(place, key) for key in _keys_not_text(node) if place and place[0] in own)
        elif place and place[0] in own and _is_other_number(node):
            yield _number_fault(place, node)


def _nodes(node: yaml.Node | None, place: Place, seen: set[int]) -> Iterator[tuple[Place, yaml.Node]]:
    if node is None or id(node) in seen:  # an alias leads to a node that its anchor has led to
        return
    seen.add(id(node))
    yield place, node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = place if _is_merge(key) else (*place, str(key.value))
            yield from _nodes(value, inner, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _nodes(value, place, seen)


def _is_merge(key: yaml.Node) -> bool:
    return key.tag == "tag:yaml.org,2002:merge"


def _repeated_keys(place: Place, node: yaml.MappingNode) -> Iterator[str]:
    lines: dict[tuple[str, str], list[int]] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and not _is_merge(key):
            lines.setdefault((key.tag, key.value), []).append(_line(key))
    for (_, name), found in lines.items():
        if len(found) > 1:
            listed = f"{', '.join(map(str, found[:-1]))} and {found[-1]}"
            times = "twice" if len(found) == 2 else f"{len(found)} times"
            key = ".".join((*place, name))
            yield f"lines {listed}: {key}: is written {times}, and YAML keeps only the last; keep one of them"


def _keys_not_text(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    for key, _ in node.value:
        is_text = key.tag == "tag:yaml.org,2002:str"
        if isinstance(key, yaml.ScalarNode) and not _is_merge(key) and not is_text:
            yield key


def _key_fault(place: Place, key: yaml.ScalarNode) -> str:
    typed = key.value or "(empty)"
    start = f"line {_line(key)}: {'.'.join(place)}: YAML reads the name {typed} as {reading(_value(key))}"
    if place[-1] == "exclude":
        return f"{start}; write it in quotes: '{typed}'"
    return f"{start}; {NAME_RULE}"


def _is_other_number(node: yaml.Node) -> bool:
    """Whether the text of a number looks like another: 010 is read as 8, and 1:30 as 90."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return False
    digits = node.value.lstrip("+-").replace("_", "")
    if node.tag == "tag:yaml.org,2002:int":
        return ":" in digits or (digits.isdecimal() and int(digits) != abs(_value(node)))
    return node.tag == "tag:yaml.org,2002:float" and ":" in digits


def _number_fault(place: Place, node: yaml.Node) -> str:
    return (
        f"line {_line(node)}: {'.'.join(place)}: YAML reads {node.value} as {reading(_value(node))}; write a number "
        "without leading zeros and colons, or text in quotes"
    )


def _value(node: yaml.Node) -> Any:
    loader = yaml.FullLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def as_whole_number(value: object) -> object:
    """Read a whole number that arrives as text, such as ``1e3``; anything else is returned as it is."""
    number = as_number(value)
    if isinstance(value, str) and isinstance(number, float) and "." not in value and number.is_integer():
        return int(number)
    return number if isinstance(number, int) else value


def as_number(value: object) -> object:
    """Read a number that arrives as text; anything else is returned as it is.

    YAML 1.1, which Snakemake reads, takes `1e-2` for text, because it lacks a dot. In nested values of Snakemake's
    ``--config``, all numbers are text. Text such as `010`, in which a file's reader would see another number, stays
    text.
    """
    if not isinstance(value, str) or not NUMBER.fullmatch(value) or re.match(r"[-+]?0[\d_]", value):
        return value
    digits = value.replace("_", "")
    number = int(digits) if re.fullmatch(r"[-+]?\d{1,100}", digits) else float(digits)
    return number if math.isfinite(number) else value


def as_truth_value(value: object) -> object:
    """Read ``true`` and ``false`` that arrive as text from Snakemake's ``--config``; all else is returned as it is."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def as_null(value: object) -> object:
    """Read ``null`` that arrives as text from Snakemake's ``--config``; all else is returned as it is."""
    return None if value in ("null", "~") else value
