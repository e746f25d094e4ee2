"""Folders that are whole or absent."""

import pytest

from cmrslices.runtime.whole_folders import whole_folder


def test_a_folder_appears_when_it_is_complete_in_place_of_the_old_one(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made/old").touch()
    with whole_folder(tmp_path / "made") as partial:
        (partial / "new").touch()
        assert [file.name for file in (tmp_path / "made").iterdir()] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["made"]
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["new"]


def test_after_an_error_the_old_folder_is_there_and_nothing_else(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made/old").touch()
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "made") as partial:
        (partial / "new").touch()
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["made"]
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["old"]


def test_what_a_killed_process_left_is_not_in_the_folder(tmp_path):
    (tmp_path / ".made.partial").mkdir()
    (tmp_path / ".made.partial/rest").touch()
    with whole_folder(tmp_path / "made"):
        pass
    assert list((tmp_path / "made").iterdir()) == []
