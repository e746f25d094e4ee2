"""Finished results that are kept although the code of their rule changed.

A user judges that the change does not matter to them, and says why.

The digests of the code that made the results are read from Snakemake's records of the working directory.
"""

import argparse
import base64
import datetime
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cmrslices.commands.snakemake_call import Call, read_call
from cmrslices.runtime.accepted_code import FILE, digest_of_results, read_accepted
from cmrslices.runtime.code_digest import LIBRARY, code_digest
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.files import write_whole
from cmrslices.runtime.provenance import commit, record_accepted

ALL = "all"
"""Word for every rule whose code changed."""
DIGEST = re.compile(r"'([0-9a-f]{16})'")
"""A code digest among the parameters that Snakemake recorded."""


@dataclass(frozen=True)
class Change:
    """A rule whose code changed since its results were made.

    Attributes
    ----------
    rule : str
    made_by : str
        Digest of the code that made the newest results of the rule.
    now : str
        Digest of the code as it is.
    results : int
        Files that the code of `made_by` made.
    others : int
        Files of the rule that still other code made; they cannot be accepted with these.
    """

    rule: str
    made_by: str
    now: str
    results: int
    others: int


@dataclass(frozen=True)
class Record:
    """What Snakemake noted about one output: the digest of the code that made it, and when, in seconds since 1970."""

    digest: str
    ended_s: float


def accept(arguments: Sequence[str]) -> str:
    """Accept the code of rules, or say which rules have code to accept.

    Parameters
    ----------
    arguments : sequence of str
        ``[--because REASON RULE [RULE ...]] [-- arguments of snakemake]``; the rule ``all`` means every rule whose
        code changed.

    Returns
    -------
    str
        What to tell the user.

    Raises
    ------
    InputError
        There is no record of results, a rule has no changed code, or the reason is missing.
    """
    own, snakemake_arguments = split_arguments(arguments)
    call = read_call(snakemake_arguments)
    changes = changed_rules(call)
    if not own.rules:
        return listing(changes)
    if not own.because:
        raise InputError("--because: say why the change does not matter to these results; the reason is recorded")
    chosen = choose(changes, own.rules)
    today = datetime.date.today().isoformat()
    rows = [
        {
            "rule": change.rule,
            "made_by": change.made_by,
            "accepted": change.now,
            "results": change.results,
            "because": own.because,
            "date": today,
            "commit": commit(),
        }
        for change in chosen
    ]
    results = call.folder / call.settings.results
    accepted = [*read_accepted(results / FILE), *rows]
    text = yaml.safe_dump(accepted, sort_keys=False, allow_unicode=True)
    write_whole(results / FILE, lambda stream: stream.write(text.encode()))
    record_accepted(results / "provenance.yaml", accepted)
    return "\n".join(_said(change) for change in chosen)


def split_arguments(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Split into the arguments of this command and those of Snakemake, which follow ``--``."""
    arguments = list(arguments)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        prog="accept_code.py", usage="%(prog)s [--because REASON RULE [RULE ...]] [-- ARGUMENTS OF SNAKEMAKE]"
    )
    parser.add_argument("--because", metavar="REASON", help="why the change does not matter to the finished results")
    parser.add_argument("rules", metavar="RULE", nargs="*", help=f"a rule whose code changed, or {ALL}")
    return parser.parse_args(arguments[:end]), arguments[end + 1 :]


def changed_rules(call: Call) -> list[Change]:
    """Rules of which finished results were made by other code than there is now, and that was not accepted.

    Raises
    ------
    InputError
        Snakemake has no records of results in the working directory.
    """
    accepted = read_accepted(call.folder / call.settings.results / FILE)
    changes = []
    for rule, records in sorted(read_records(call.folder, Path(call.settings.results)).items()):
        script = LIBRARY / f"{rule}.py"
        if not script.exists():
            continue
        now = code_digest(script)
        counts = Counter(record.digest for record in records)
        newest = max(records, key=lambda record: record.ended_s).digest
        if newest != digest_of_results(accepted, rule, now):
            changes.append(Change(rule, newest, now, counts[newest], len(records) - counts[newest]))
    return changes


def read_records(folder: Path, results: Path) -> dict[str, list[Record]]:
    """Rule to what Snakemake recorded about each of its outputs that are still there.

    Parameters
    ----------
    folder : Path
        The working directory.
    results : Path
        The results folder, as the configuration has it.

    Raises
    ------
    InputError
        There is no record.
    """
    root = folder / ".snakemake/metadata"
    found: dict[str, list[Record]] = {}
    for file in root.rglob("*") if root.is_dir() else ():
        output = recorded_output(file.relative_to(root)) if file.is_file() else None
        if output is None or not output.is_relative_to(results) or not (folder / output).exists():
            continue
        record = _read_json(file)
        digests = [match[1] for text in record.get("params") or () if (match := DIGEST.fullmatch(str(text)))]
        if len(digests) == 1:
            found.setdefault(record["rule"], []).append(Record(digests[0], record["endtime"]))
    if not found:
        raise InputError(f"{root}: Snakemake recorded no results of {results} there; call from the run's folder")
    return found


def recorded_output(file: Path) -> Path | None:
    """Output that one of Snakemake's records is about.

    The name of the record is the path of the output in base64, cut into folders that begin with ``@`` where it is long.
    """
    text = "".join(part.removeprefix("@") for part in file.parts)
    try:
        return Path(base64.urlsafe_b64decode(text).decode())
    except ValueError:
        return None


def choose(changes: list[Change], rules: Sequence[str]) -> list[Change]:
    """The changes of the rules that a user names.

    Raises
    ------
    InputError
        A rule is not among them.
    """
    names = [change.rule for change in changes]
    unknown = [rule for rule in rules if rule not in {ALL, *names}]
    if unknown or not changes:
        known = ", ".join(names) or "none"
        raise InputError(f"{', '.join(unknown or rules)}: no finished results of other code; rules that have: {known}")
    return [change for change in changes if ALL in rules or change.rule in rules]


def listing(changes: list[Change]) -> str:
    """Say which rules have finished results of other code, and how to keep them."""
    if not changes:
        return "Nothing to accept: no code changed since the results were made."
    rows = "\n".join(f"  {change.rule}: {_files(change.results)}" for change in changes)
    return (
        f"Rules whose code changed since their results were made:\n{rows}\n"
        "Snakemake will run them again. To keep the results of a rule, say why the change does not matter to them:\n"
        '  python workflow_scripts/accept_code.py --because "REASON" RULE [RULE ...] -- [arguments of snakemake]'
    )


def _read_json(file: Path) -> dict[str, Any]:
    """Content of a record; empty where Snakemake was stopped while it wrote."""
    try:
        return json.loads(file.read_text())
    except ValueError:
        return {}


def _said(change: Change) -> str:
    kept = f"{change.rule}: {_files(change.results)} kept, although the code changed"
    return f"{kept}; {_files(change.others)} made by still other code will be made again" if change.others else kept


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
