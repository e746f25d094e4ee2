"""Names of patients that do not reveal who they are: a keyed hash of the folder's name.

``python -m cmrslices.cohorts.convert.naming KEYFILE FOLDER`` prints the name that each patient folder gets.
"""

import hashlib
import hmac
import sys
from pathlib import Path

from cmrslices.cohorts.convert.raw import folder_names
from cmrslices.runtime.errors import InputError

SHORTEST_KEY = 16
"""In bytes. A shorter key could be guessed, and then the names too."""

DIGITS = 12
"""Hexadecimal digits of a name: among 100,000 patients, two share one with a probability below 2e-5."""


def read_key(path: str | Path) -> bytes:
    """Read the secret key of a cohort: the bytes of a file, without white space at either end.

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
    """HMAC-SHA256 of a name, shortened: always the same with one key, and nobody can check a guess without the key.

    Parameters
    ----------
    name : str
        Of the patient's folder.
    key : bytes
        As `read_key` gives it.

    Examples
    --------
    >>> hashed_name("P0001", b"no secret at all")
    '63839542689e'
    """
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:DIGITS]


if __name__ == "__main__":
    key_file, cohort = sys.argv[1:]
    key = read_key(key_file)
    for folder in folder_names(cohort):
        print(hashed_name(folder, key), folder)
