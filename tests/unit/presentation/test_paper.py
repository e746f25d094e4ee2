"""The paper's tables as typed, and ours beside them."""

import numpy as np
import pandas as pd
import pytest
from places import PAPER

from cmrslices.presentation.paper import beside_paper, read_paper


@pytest.mark.parametrize(("table", "rows"), [("table1", 27), ("table2", 7), ("table3", 36)])
def test_all_cells_of_the_papers_tables_are_there(table, rows):
    typed = read_paper(PAPER / f"{table}.csv")
    assert len(typed) == rows
    assert not typed.isna().any(axis=None)


@pytest.mark.parametrize("table", ["table1", "table2", "table3"])
def test_each_table_names_its_source(table):
    first_line = (PAPER / f"{table}.csv").read_text().splitlines()[0]
    assert "Improved AI-based Segmentation of Apical and Basal Slices" in first_line
    assert f"Table {table[-1]}" in first_line


def test_numbers_of_table_1():
    typed = read_paper(PAPER / "table1.csv").set_index(["cohort", "label", "region"])
    assert typed.loc[("nhs", "LVBP", "base")].tolist() == [87.53, 23.29, True]
    assert typed.loc[("mnms", "LVM", "apex")].tolist() == [75.25, 25.84, True]
    assert typed.loc[("acdc", "RVBP", "middle")].tolist() == [88.54, 16.22, False]


def test_table_1_stars_all_ends_but_two():
    typed = read_paper(PAPER / "table1.csv")
    plain = typed[(typed["region"] != "middle") & ~typed["significant"]]
    assert plain[["cohort", "label", "region"]].to_numpy().tolist() == [
        ["acdc", "LVBP", "base"],
        ["acdc", "RVBP", "base"],
    ]


def test_numbers_of_table_2():
    typed = read_paper(PAPER / "table2.csv").set_index("network")
    assert typed.loc["densenet121"].tolist() == [91.72, 91.50]
    assert typed["precision"].idxmax() == "densenet121"


def test_numbers_of_table_3():
    typed = read_paper(PAPER / "table3.csv").set_index(["cohort", "approach", "label", "region"])
    assert typed.loc[("nhs", "sampling_high", "LVM", "base")].tolist() == [-0.91, -1.53, True]
    assert typed.loc[("mnms", "classification", "LVM", "apex")].tolist() == [5.53, 9.38, True]
    assert typed.loc[("acdc", "classification", "RVBP", "base")].tolist() == [-1.37, -0.78, True]


def test_rows_that_only_one_has_keep_empty_cells():
    ours = pd.DataFrame({"region": ["base", "middle"], "mean": [80.0, 90.0], "sd": [9.0, 8.0]})
    paper = pd.DataFrame({"region": ["apex", "base"], "mean": [70.0, 75.0], "sd": [7.0, 6.0]})
    beside = beside_paper(ours, paper, ["region"], ["mean", "sd"])
    expected = [
        ["base", 75, 80, 5, 6, 9],
        ["middle", np.nan, 90, np.nan, np.nan, 8],
        ["apex", 70, np.nan, np.nan, 7, np.nan],
    ]
    pd.testing.assert_frame_equal(
        beside,
        pd.DataFrame(expected, columns=["region", "paper_mean", "ours_mean", "difference", "paper_sd", "ours_sd"]),
        check_dtype=False,
    )
