"""Imports of the library run one way: the contract in pyproject.toml, checked by import-linter."""

import os
import subprocess
import sys
from pathlib import Path

from places import LIBRARY, ROOT


def test_the_library_keeps_its_import_contract():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout
