"""A full disk, a clock that was set back: a clear message, nothing half written, nothing lost."""

import contextlib
import shutil
import subprocess

import pytest
from workflow import TINY, Workflow


@pytest.fixture
def workflow(finished, tmp_path):
    """A copy of the finished run."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Workflow(tmp_path / "project", TINY, project=tmp_path / "project")


@contextlib.contextmanager
def small_disk(folder, size):
    """A disk of that size in place of the folder."""
    shutil.rmtree(folder)
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def files_in(folder):
    """Name to content."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}


@pytest.mark.parametrize(
    ("folder", "target"),
    [("predictions/baseline/nhs", "labels"), ("tables", "table3.csv")],
    ids=["prediction", "table"],
)
def test_a_full_disk_is_named_and_a_second_run_gives_the_same(workflow, folder, target):
    folder = workflow.folder / "results" / folder
    target = (folder / target).relative_to(workflow.folder)
    before = files_in(folder)
    with small_disk(folder, "8k"):
        answer = workflow.run("--cores", "1", "--", target)
        assert answer.returncode != 0
        assert "No space left on device: the disk or the quota is full; make room, then run again" in answer.stderr
        assert files_in(folder) == {}
    again = workflow.run("--cores", "1", "--", target)
    assert again.returncode == 0, again.stderr
    after = files_in(folder)
    assert after == {name: before[name] for name in after}
    assert (workflow.folder / target).exists()


def test_a_clock_that_was_set_back_is_named_and_the_documented_way_out_gives_the_same(workflow):
    table = workflow.folder / "results/tables/table3.csv"
    before = table.read_bytes()
    table.unlink()
    results = [str(workflow.folder / folder) for folder in ("results", "raw")]
    subprocess.run(["find", *results, "-exec", "touch", "-h", "-d", "+1 day", "{}", "+"], check=True)
    skewed = workflow.run("--cores", "1", "--", "results/tables/table3.csv")
    assert skewed.returncode != 0
    assert "This could indicate a clock skew problem" in skewed.stderr
    way_out = ["find", *results, "-newermt", "now", "-exec", "touch", "-h", "-d", "1 minute ago", "{}", "+"]
    subprocess.run(way_out, check=True)
    again = workflow.run("--cores", "1", "--", "results/tables/table3.csv")
    assert again.returncode == 0, again.stderr
    assert table.read_bytes() == before
    assert workflow.planned() == {}
