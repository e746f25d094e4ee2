"""Names and numbers in the three tables of a cohort."""

import numpy as np
import pandas as pd
import pytest
from raw_cohorts import convert_to, nifti_cohort

from cmrslices.cohorts import tables
from cmrslices.cohorts.regions import PAPER, assign_regions
from cmrslices.cohorts.splits import split_cohort

ODD_NAMES = ["0010", "1e5", "NA", "null"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """The three tables of a cohort whose patients have odd names; one of them is excluded."""
    folder = tmp_path_factory.mktemp("cohort")
    nifti_cohort(folder / "raw", [*ODD_NAMES, "nan"])
    row = {"format": "nifti", "folder": str(folder / "raw"), "exclude": {"nan": "None"}}
    out = convert_to(folder / "out", row, "demo")
    split_cohort(out / "cases.csv", out / "splits.csv", {"train": 1, "validation": 1, "test": 2}, seed=1)
    assign_regions(out / "cases.csv", out / "labels", out / "slices.csv", PAPER, threads=1)
    return out


def test_odd_names_are_kept_from_the_raw_folder_to_every_table(cohort):
    cases = tables.read_cases(cohort / "cases.csv")
    splits, slices = tables.read_splits(cohort / "splits.csv"), tables.read_slices(cohort / "slices.csv")
    for table in (cases[~cases["excluded"]], splits, slices):
        assert sorted(set(table["patient"])) == ODD_NAMES
        assert sorted(set(table["case"])) == [f"demo_{name}_{phase}" for name in ODD_NAMES for phase in ("ED", "ES")]


def test_the_reason_of_an_excluded_patient_is_text(cohort):
    cases = tables.read_cases(cohort / "cases.csv").query("excluded")
    assert cases[["patient", "reason"]].to_numpy().tolist() == [["nan", "None"]] * 2


def test_numbers_are_numbers_and_an_excluded_case_has_none(cohort):
    cases = tables.read_cases(cohort / "cases.csv").set_index("case")
    assert cases.loc["demo_NA_ED", ["slices", "spacing_z_mm", "flipped"]].tolist() == [8, 8.0, False]
    assert cases.loc["demo_nan_ED", ["slices", "spacing_z_mm", "flipped", "frame"]].isna().all()


def test_the_position_of_a_non_cardiac_slice_is_missing(cohort):
    slices = tables.read_slices(cohort / "slices.csv").query("case == 'demo_null_ES'")
    np.testing.assert_array_equal(slices["position"], [np.nan, 0, 0.2, 0.4, 0.6, 0.8, 1, np.nan])
    assert slices["slice"].tolist() == list(range(8))


WRITERS_AND_READERS = [
    (tables.write_cases, tables.read_cases, tables.CASES),
    (tables.write_splits, tables.read_splits, tables.SPLITS),
    (tables.write_slices, tables.read_slices, tables.SLICES),
]


@pytest.mark.parametrize(("write", "read", "columns"), WRITERS_AND_READERS, ids=["cases", "splits", "slices"])
def test_a_case_with_an_odd_name_keeps_it(tmp_path, write, read, columns):
    written = pd.DataFrame({name: [kind == "str"] * 4 for name, kind in columns.items()}).astype(columns)
    write(written.assign(case=ODD_NAMES, patient=ODD_NAMES), tmp_path / "table.csv")
    table = read(tmp_path / "table.csv")
    assert table[["case", "patient"]].to_numpy().tolist() == [[name, name] for name in ODD_NAMES]
    assert table.dtypes.astype(str).tolist() == written.dtypes.astype(str).tolist()


@pytest.mark.parametrize(("write", "read", "columns"), WRITERS_AND_READERS, ids=["cases", "splits", "slices"])
def test_a_table_that_is_read_and_written_again_is_the_same_to_the_byte(cohort, tmp_path, write, read, columns):
    name = f"{write.__name__.removeprefix('write_')}.csv"
    write(read(cohort / name), tmp_path / name)
    assert (tmp_path / name).read_bytes() == (cohort / name).read_bytes()


def test_positions_and_areas_are_rounded(tmp_path):
    row = {"case": "c_1_ED", "patient": "1", "phase": "ED", "slice": 0, "region": "base", "position": 1 / 3}
    write = pd.DataFrame([row | dict.fromkeys(tables.AREAS, 2 / 3)])
    tables.write_slices(write, tmp_path / "slices.csv")
    assert (tmp_path / "slices.csv").read_text().splitlines()[1] == "c_1_ED,1,ED,0,base,0.333333,0.667,0.667,0.667"


def test_a_table_as_text_has_every_cell_as_it_is_written(tmp_path):
    (tmp_path / "table.csv").write_text("case,position\nNA,0.50\n1e5,\n")
    assert tables.read_text(tmp_path / "table.csv").to_numpy().tolist() == [["NA", "0.50"], ["1e5", ""]]


def test_cases_of_several_splits_are_sorted():
    splits = pd.DataFrame({"case": ["b", "c", "a", "d"], "split": ["test", "validation", "test", "train"]})
    assert tables.cases_of(splits, "test") == ["a", "b"]
    assert tables.cases_of(splits, "validation", "test") == ["a", "b", "c"]
