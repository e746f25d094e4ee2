"""Code that a user accepted: it would give the same results as the code that made the finished ones.

After an update of the workflow, Snakemake runs every rule again whose code changed. A user who judges that a change
does not matter accepts the new code for a rule. The rule's parameter ``code`` then stays the digest of the code that
made the results, so that nothing runs again. Changed settings and inputs cannot be accepted: they are other parameters.
"""

from pathlib import Path
from typing import Any

import yaml

FILE = "accepted_code.yaml"
"""Name of the record in the results folder. A row that a user deletes is no longer accepted."""


def read_accepted(file: str | Path) -> list[dict[str, Any]]:
    """Read the accepted code of a results folder.

    Returns
    -------
    list of dict
        In the order of acceptance: ``rule``; ``made_by``, the digest of the code that made the results; ``accepted``,
        the digest of the code that was accepted; ``results``, their number; ``because``, ``date`` and ``commit``.
        Empty where nothing was accepted.
    """
    file = Path(file)
    return yaml.safe_load(file.read_text()) or [] if file.exists() else []


def digest_of_results(accepted: list[dict[str, Any]], rule: str, digest: str) -> str:
    """Digest that stands for a rule's code: that of the finished results where the code was accepted, else its own.

    Parameters
    ----------
    accepted : list of dict
        As `read_accepted` gives them.
    rule : str
        Name of the rule.
    digest : str
        What `code_digest` gives for the rule's script as it is now.

    Examples
    --------
    >>> rows = [{"rule": "train_segmenter", "made_by": "0201", "accepted": "f3a9"}]
    >>> digest_of_results(rows, "train_segmenter", "f3a9")
    '0201'
    >>> digest_of_results(rows, "train_segmenter", "77c0")
    '77c0'
    """
    for row in reversed(accepted):
        if row["rule"] == rule and row["accepted"] == digest:
            return row["made_by"]
    return digest
