"""The examples in the library's docstrings are true."""

import doctest
import importlib

import pytest
from places import LIBRARY

FILES = sorted(file for file in (LIBRARY / "cmrslices").rglob("*.py") if ">>> " in file.read_text())
MODULES = [".".join(file.relative_to(LIBRARY).with_suffix("").parts) for file in FILES]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
