"""What the text of a configuration file says, and YAML's values no longer do."""

import pytest

from cmrslices.config import check_config_files
from cmrslices.runtime.errors import InputError


@pytest.fixture
def check(tmp_path):
    """Check a file of this text."""

    def write(text):
        file = tmp_path / "mine.yaml"
        file.write_text(text)
        check_config_files([file])

    return write


def test_a_key_that_is_written_twice_is_named_with_file_and_lines(check):
    with pytest.raises(InputError, match=r"mine\.yaml, lines 1 and 3: seed: is written twice"):
        check("seed: 1\nresults: a\nseed: 2\n")


def test_a_repeated_key_inside_a_row_is_named_by_its_whole_path(check):
    with pytest.raises(InputError, match=r"lines 3 and 4: cohorts\.acdc\.folder: is written twice"):
        check("cohorts:\n  acdc:\n    folder: a\n    folder: b\n")


def test_a_repeated_row_is_found_in_braces_and_in_quotes(check):
    with pytest.raises(InputError, match=r"lines 1 and 2: models\.a: is written twice"):
        check("models: {a: {sampling: uniform},\n 'a': {sampling: uniform}}\n")


def test_a_key_that_is_written_three_times_has_three_lines(check):
    with pytest.raises(InputError, match="lines 1, 2 and 3: seed: is written 3 times"):
        check("seed: 1\nseed: 1\nseed: 1\n")


def test_a_repeated_key_is_found_in_the_part_of_another_workflow(check):
    with pytest.raises(InputError, match=r"lines 2 and 3: cmr\.seed"):
        check("cmr:\n  seed: 1\n  seed: 2\n")


def test_a_repeated_key_of_a_json_file_with_tabs_is_found(check):
    with pytest.raises(InputError, match="lines 2 and 3: seed: is written twice"):
        check('{\n\t"seed": 1,\n\t"seed": 2\n}\n')


def test_a_mapping_that_is_used_again_repeats_no_key(check):
    check("cohorts:\n  a: &row {title: A}\n  b:\n    <<: *row\n    title: B\n  c: *row\n")


def test_two_merges_in_a_mapping_repeat_no_key(check):
    check("cohorts:\n  a: &a {title: A}\n  b: &b {csv: b}\n  c:\n    <<: *a\n    <<: *b\n")


@pytest.mark.parametrize("table", ["cohorts", "models", "approaches"])
@pytest.mark.parametrize(
    ("typed", "read"),
    [("no", "the truth value false"), ("on", "the truth value true"), ("001", "the number 1"), ("010", "the number 8")],
)
def test_a_name_that_is_a_value_is_named_as_typed(check, table, typed, read):
    with pytest.raises(InputError, match=f"line 2: {table}: YAML reads the name {typed} as {read}.*; a name has"):
        check(f"{table}:\n  {typed}: {{title: A}}\n")


def test_a_patients_name_that_is_a_number_is_to_be_quoted_as_typed(check):
    message = r"line 1: cohorts\.acdc\.exclude: YAML reads the name 0010 as the number 8; write it in quotes: '0010'"
    with pytest.raises(InputError, match=message):
        check("cohorts: {acdc: {exclude: {0010: blurred}}}\n")


@pytest.mark.parametrize(("typed", "read"), [("010", 8), ("1:30", 90)])
def test_a_number_that_yaml_reads_as_another_is_refused(check, typed, read):
    with pytest.raises(InputError, match=rf"line 1: segmentation\.epochs: YAML reads {typed} as the number {read}"):
        check(f"segmentation: {{epochs: {typed}}}\n")


@pytest.mark.parametrize("text", ["", "seed: 007\n", "other: {1: a, no: b, x: 010}\n", "seed: [\n"])
def test_nothing_else_is_a_fault_here(check, text):
    check(text)


def test_faults_of_all_files_are_reported_together(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("seed: 1\nseed: 2\n")
    with pytest.raises(InputError, match=r"(?s)^2 faults found:.*a, lines.*b, lines"):
        check_config_files([tmp_path / "a", tmp_path / "b"])
