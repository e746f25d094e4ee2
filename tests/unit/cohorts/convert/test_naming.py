"""Names of patients by a keyed hash."""

import os
import subprocess
import sys

import pytest
from places import LIBRARY

from cmrslices.cohorts.convert import raw_names
from cmrslices.cohorts.convert.naming import hashed_name, read_key
from cmrslices.runtime.errors import InputError

KEY = b"sixteen bytes or more"


def test_the_same_key_gives_the_same_name():
    assert hashed_name("P1", KEY) == hashed_name("P1", KEY)


def test_another_key_or_folder_gives_another_name():
    assert len({hashed_name("P1", KEY), hashed_name("P2", KEY), hashed_name("P1", KEY + b"!")}) == 3


def test_a_name_is_fit_for_files():
    assert hashed_name("Müller^Ann", KEY).isalnum()


def test_white_space_around_a_key_does_not_count(tmp_path):
    (tmp_path / "key").write_bytes(KEY + b"\n")
    assert read_key(tmp_path / "key") == KEY


def test_a_missing_key_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match=r"name_key: .*absent: cannot be read; make it: head"):
        read_key(tmp_path / "absent")


def test_a_short_key_is_refused(tmp_path):
    (tmp_path / "key").write_text("secret\n")
    with pytest.raises(InputError, match="6 bytes are no secret"):
        read_key(tmp_path / "key")


def test_the_folders_names_do_not_reach_snakemakes_records(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "nhs/DOE^JANE").mkdir(parents=True)
    names = raw_names({"format": "cvi42", "folder": str(tmp_path / "nhs"), "name_key": str(tmp_path / "key")})
    assert names == [hashed_name("DOE^JANE", KEY)]


def test_the_list_of_names_has_the_folders_that_conversion_finds(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    for name in (b"P1", b"M\xfcller", b"@eaDir"):
        (tmp_path / "nhs" / os.fsdecode(name)).mkdir(parents=True)
    command = [sys.executable, "-m", "cmrslices.cohorts.convert.naming", tmp_path / "key", tmp_path / "nhs"]
    answer = subprocess.run(command, cwd=LIBRARY, capture_output=True, text=True, check=True)
    names = raw_names({"format": "cvi42", "folder": str(tmp_path / "nhs"), "name_key": str(tmp_path / "key")})
    assert [line.split(" ", 1)[1] for line in answer.stdout.splitlines()] == [r"M\xfcller", "P1"]
    assert sorted(line.split()[0] for line in answer.stdout.splitlines()) == names
