"""The code digest follows imports and ignores what does not change a result."""

import json
import os
import shutil
import subprocess

import pytest
from places import LIBRARY

from cmrslices.runtime import code_digest

EVERY_SYNTAX = '''\
"""A text."""
from cmrslices.inner import f as g
import math


class Point(NamedTuple):
    """Another text."""

    x: float = 0.5
    name: str | None = None


def h(a, /, b=2, *c, d=-3.0, **e) -> "Point":
    with open(a) as one, open(b) as two:
        text = f"{a!r:>{b}} of {math.pi:.2f}" "and" f"{c}" ""
    try:
        return [x for x in c if (y := x) > 1_000] or {**e, "k": b"\\x00"}
    except (OSError, ValueError) as fault:
        raise RuntimeError(text) from fault
    match a:
        case {"k": [1, *rest]} if rest:
            return lambda: ...
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    package = tmp_path / "cmrslices"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text('"""Inner."""\n\ndef f():\n    """Doc."""\n    return 1\n')
    (package / "outer.py").write_text("from cmrslices.inner import f\n")
    (package / "other.py").write_text("x = 1\n")
    script = tmp_path / "script.py"
    script.write_text("from cmrslices.outer import f\n\nf()\n")
    monkeypatch.setattr(code_digest, "LIBRARY", tmp_path)
    code_digest.forget()
    return script, package


def digest_after(project, file, text):
    script, package = project
    (package / file).write_text(text)
    return digest(script)


def digest(script):
    code_digest.forget()
    return code_digest.code_digest(script)


def test_a_change_of_an_indirectly_imported_module_changes_the_digest(project):
    before = digest(project[0])
    assert digest_after(project, "inner.py", "def f():\n    return 2\n") != before


def test_a_change_of_a_module_that_is_not_imported_does_not(project):
    before = digest(project[0])
    assert digest_after(project, "other.py", "x = 2\n") == before


def test_comments_docstrings_and_layout_do_not_count(project):
    before = digest(project[0])
    after = digest_after(project, "inner.py", '"""Other words."""\n# why\ndef f():\n    """New."""\n\n    return (1)\n')
    assert after == before


def test_imports_inside_functions_are_followed(project):
    (project[1] / "outer.py").write_text("def g():\n    from cmrslices import other\n    return other\n")
    before = digest_after(project, "other.py", "x = 1\n")
    assert digest_after(project, "other.py", "x = 3\n") != before


def test_a_moved_module_changes_nothing(project):
    script, package = project
    before = digest(script)
    (package / "runtime").mkdir()
    (package / "runtime/__init__.py").write_text('"""The new home."""\n')
    (package / "inner.py").rename(package / "runtime/inside.py")
    (package / "outer.py").write_text("from cmrslices.runtime.inside import f\n")
    assert digest(script) == before


def test_the_order_and_the_place_of_imports_change_nothing(project):
    one = digest_after(project, "outer.py", "import os\nimport math\nfrom cmrslices.inner import f\nf()\n")
    other = digest_after(project, "outer.py", "from cmrslices.inner import f\nimport math, os\nf()\n")
    assert one == other


def test_another_function_under_the_same_name_changes_the_digest(project):
    one = digest_after(project, "outer.py", "from scipy.stats import ttest_ind as f\n")
    assert digest_after(project, "outer.py", "from scipy.stats import ttest_rel as f\n") != one


def test_two_modules_that_change_places_under_the_same_names_change_the_digest(project):
    (project[1] / "third.py").write_text("def f():\n    return 3\n")
    both = "from cmrslices.{} import f as one\nfrom cmrslices.{} import f as two\none() - two()\n"
    before = digest_after(project, "outer.py", both.format("inner", "third"))
    assert digest_after(project, "outer.py", both.format("third", "inner")) != before


def test_a_relative_import_is_refused_because_it_would_not_be_followed(project):
    with pytest.raises(ValueError, match="a relative import; write the module's full name"):
        digest_after(project, "outer.py", "from .inner import f\n")


def test_the_digest_of_a_text_is_the_same_on_every_version_of_python(project):
    assert digest_after(project, "outer.py", EVERY_SYNTAX) == "9b576b94dd39c50d"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_other_versions_of_python_give_every_module_the_same_digest(version, tmp_path):
    python = other_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    shutil.copytree(LIBRARY, tmp_path / "library", ignore=shutil.ignore_patterns("__pycache__"))  # parsed anew
    code = (
        "import json, pathlib, sys\n"
        "sys.path.insert(0, 'library')\n"
        "from cmrslices.runtime.code_digest import code_digest\n"
        "files = sorted(pathlib.Path('library').rglob('*.py'))\n"
        "print(json.dumps([code_digest(file) for file in files]))\n"
    )
    answer = subprocess.run([python, "-B", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    code_digest.forget()
    ours = [code_digest.code_digest(file) for file in sorted(LIBRARY.rglob("*.py"))]
    assert json.loads(answer.stdout) == ours


def other_python(version):
    """A Python of this version that starts, or None."""
    for folder in os.get_exec_path():
        python = shutil.which(f"python{version}", path=folder)
        asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if python and subprocess.run(asked, capture_output=True, text=True).stdout.strip() == version:
            return python
    return None


def parsed_files(monkeypatch):
    """Sources that are parsed from now on."""
    parsed, parse = [], code_digest.ast.parse
    monkeypatch.setattr(code_digest.ast, "parse", lambda source: parsed.append(source) or parse(source))
    return parsed


def kept(folder):
    return list(folder.rglob("*.code.json"))


def test_code_that_was_parsed_before_is_not_parsed_again(project, monkeypatch):
    before = digest(project[0])
    parsed = parsed_files(monkeypatch)
    assert digest(project[0]) == before
    assert parsed == []


def test_only_the_changed_file_is_parsed_again_even_if_its_time_and_size_are_the_same(project, monkeypatch):
    file = project[1] / "inner.py"
    before, times = digest(project[0]), file.stat()
    parsed = parsed_files(monkeypatch)
    file.write_bytes(file.read_bytes().replace(b"return 1", b"return 2"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(project[0]) != before
    assert parsed == [file.read_bytes()]


def test_what_another_version_of_this_module_kept_is_not_used(project, monkeypatch):
    digest(project[0])
    parsed = parsed_files(monkeypatch)
    monkeypatch.setattr(code_digest, "KEEPER", b"another")
    digest(project[0])
    assert len(parsed) == len(kept(project[0].parent))


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}"])
def test_what_was_kept_and_is_damaged_is_made_again(project, damage):
    before = digest(project[0])
    for file in kept(project[0].parent):
        file.write_text(damage)
    assert digest(project[0]) == before
    assert all(json.loads(file.read_text())["code"] for file in kept(project[0].parent))


def test_where_nothing_can_be_written_the_digest_is_the_same(project, tmp_path, monkeypatch):
    before = digest(project[0])
    for file in kept(tmp_path):
        file.unlink()
    monkeypatch.setattr(code_digest, "cache_from_source", lambda path: f"{project[0]}/no folder/{path}")
    assert digest(project[0]) == before
    assert kept(tmp_path) == []


def test_a_file_that_fails_to_be_written_leaves_nothing_behind(project, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(code_digest.Path, "replace", full)
    digest(project[0])
    assert list(project[0].parent.rglob("*.code.json*")) == []
