"""Where given label maps lie, and when they count as others."""

import os

import pytest

from cmrslices.prediction.folders import files_digest, folder_of


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "given/acdc").mkdir(parents=True)
    (tmp_path / "given/acdc/a.nii.gz").write_bytes(b"labels")
    return tmp_path / "given"


def test_the_subfolder_of_the_cohort_is_taken_else_the_whole(folder):
    assert folder_of(folder, "acdc") == folder / "acdc"
    assert folder_of(folder, "mnms") == folder
    assert folder_of(folder / "missing", "acdc") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "acdc/b.nii.gz").write_bytes(b""),
        lambda folder: (folder / "acdc/a.nii.gz").write_bytes(b"other labels"),
        lambda folder: (folder / "acdc/a.nii.gz").rename(folder / "acdc/c.nii.gz"),
        lambda folder: os.utime(folder / "acdc/a.nii.gz", (1, 1)),
    ],
    ids=["added", "changed", "renamed", "written again"],
)
def test_another_file_is_another_digest(folder, change):
    before = files_digest(folder)
    change(folder)
    assert files_digest(folder) != before


def test_the_place_of_the_folder_and_other_files_do_not_count(folder):
    before = files_digest(folder)
    (folder / "acdc/summary.json").write_text("{}")
    moved = folder.rename(folder.with_name("moved"))
    assert files_digest(moved) == before
