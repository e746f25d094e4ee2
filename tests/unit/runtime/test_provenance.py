"""The code digest follows imports and ignores what does not change a result."""

import pytest

from cmrslices.runtime import provenance


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
    monkeypatch.setattr(provenance, "LIBRARY", tmp_path)
    provenance._read.cache_clear()
    return script, package


def digest_after(project, file, text):
    script, package = project
    (package / file).write_text(text)
    provenance._read.cache_clear()
    return provenance.code_digest(script)


def test_a_change_of_an_indirectly_imported_module_changes_the_digest(project):
    before = provenance.code_digest(project[0])
    assert digest_after(project, "inner.py", "def f():\n    return 2\n") != before


def test_a_change_of_a_module_that_is_not_imported_does_not(project):
    before = provenance.code_digest(project[0])
    assert digest_after(project, "other.py", "x = 2\n") == before


def test_comments_docstrings_and_layout_do_not_count(project):
    before = provenance.code_digest(project[0])
    after = digest_after(project, "inner.py", '"""Other words."""\n# why\ndef f():\n    """New."""\n\n    return (1)\n')
    assert after == before


def test_imports_inside_functions_are_followed(project):
    (project[1] / "outer.py").write_text("def g():\n    from cmrslices import other\n    return other\n")
    before = digest_after(project, "other.py", "x = 1\n")
    assert digest_after(project, "other.py", "x = 3\n") != before
