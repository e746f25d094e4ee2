"""Names of patients that say nothing of them: a keyed hash of the folder's name.

``python -m cmrslices.cohorts.convert.naming KEYFILE FOLDER`` prints the name that each patient folder gets.
"""

import hashlib
import hmac
import sys
from pathlib import Path

from cmrslices.runtime.errors import InputError

SHORTEST_KEY = 16
"""Bytes; a shorter key could be guessed, and with it every name."""

DIGITS = 12
"""Hexadecimal digits of a name: among 100,000 patients, two share one with a probability below 2e-5."""


def read_key(path: str | Path) -> bytes:
    """Secret key of a cohort: the bytes of a file, without white space around them.

    Raises
    ------
    InputError
        The file is missing, unreadable, or holds fewer than 16 bytes.
    """
    try:
        key = Path(path).read_bytes().strip()
    except OSError:
        raise InputError(f"name_key: {path}: cannot be read; make it: head -c 32 /dev/urandom | base64 >FILE") from None
    if len(key) < SHORTEST_KEY:
        raise InputError(f"name_key: {path}: {len(key)} bytes are no secret; write {SHORTEST_KEY} or more into it")
    return key


def hashed_name(name: str, key: bytes) -> str:
    """HMAC-SHA256 of a name, shortened: the same for the same key, and without it neither invertible nor guessable.

    Parameters
    ----------
    name : str
        The patient folder's.
    key : bytes
        See `read_key`.
    """
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:DIGITS]


if __name__ == "__main__":
    key_file, cohort = sys.argv[1:]
    key = read_key(key_file)
    for folder in sorted(path for path in Path(cohort).iterdir() if path.is_dir()):
        print(hashed_name(folder.name, key), folder.name)
