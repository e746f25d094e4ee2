"""The cohorts in numbers."""

import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cmrslices.report.cohorts import (
    count_findings,
    count_reasons,
    count_slices,
    measure,
    read_sizes,
    write_cohort_summary,
)


def cases_table(**columns):
    """Cases of cases.csv as text, converted and without a finding unless said otherwise."""
    count = len(next(iter(columns.values())))
    usual = {"cohort": "nhs", "excluded": "False", "flipped": "False", "repairs": ""}
    return pd.DataFrame({**{name: [value] * count for name, value in usual.items()}, **columns})


def test_slices_are_counted_by_split_and_region():
    splits = pd.DataFrame(
        {"case": ["a_ED", "a_ES", "b_ED"], "patient": ["a", "a", "b"], "split": ["test"] * 2 + ["train"]}
    )
    slices = pd.DataFrame({"case": ["a_ED"] * 3 + ["b_ED"], "region": ["base", "base", "apex", "non-cardiac"]})
    table = count_slices(splits, slices).set_index("split")
    assert list(table.index) == ["train", "test"]
    assert table.loc["test"].to_dict() == {
        **{"patients": 1, "cases": 2, "base": 2, "middle": 0, "apex": 1, "non-cardiac": 0},
        "total_slices": 3,
    }


def test_a_pixels_side_is_the_longer_one():
    cases = pd.DataFrame(
        {"case": ["a"], "slices": ["9"], "spacing_x_mm": ["1.2"], "spacing_y_mm": ["1.5"], "spacing_z_mm": ["8"]}
    )
    sizes = pd.DataFrame({"case": ["a"], "columns_px": [200], "rows_px": [180]})
    row = measure(cases, pd.DataFrame({"case": ["a"], "split": ["test"]}), sizes).iloc[0]
    assert (row["pixel_mm_min"], row["slice_distance_mm_max"], row["rows_px_median"]) == (1.5, 8, 180)


def test_geometry_is_that_of_the_split_alone():
    cases = pd.DataFrame({"case": ["a", "b"], "slices": ["9", "12"]})
    cases[["spacing_x_mm", "spacing_y_mm", "spacing_z_mm"]] = "1"
    sizes = pd.DataFrame({"case": ["a", "b"], "columns_px": [200, 300], "rows_px": [200, 300]})
    table = measure(cases, pd.DataFrame({"case": ["a", "b"], "split": ["train", "test"]}), sizes).set_index("split")
    assert table["slices_max"].to_dict() == {"train": 9, "test": 12}


def test_exclusions_are_counted_by_reason():
    cases = cases_table(
        case=["a_ED", "a_ES", "b_ED", "c_ED"],
        patient=["a", "a", "b", "c"],
        excluded=["True", "True", "True", "False"],
        reason=["blurred", "blurred", "cut", ""],
    )
    assert count_reasons(cases).to_numpy().tolist() == [["nhs", "blurred", 1, 2], ["nhs", "cut", 1, 1]]


def test_findings_are_counted_without_their_numbers():
    repairs = [
        "breath-hold-shift-slice-3-by-7-mm;breath-hold-shift-slice-4-by-9-mm",
        "breath-hold-shift-slice-0-by-6-mm",
        "",
    ]
    found = count_findings(cases_table(case=["a", "b", "c"], repairs=repairs))
    assert found[["finding", "cases"]].to_numpy().tolist() == [["breath hold shift slice … by … mm", 2]]


def test_a_reversed_case_counts_and_an_excluded_one_does_not():
    cases = cases_table(case=["a", "b"], flipped=["True", ""], excluded=["False", "True"], repairs=["", "spacing"])
    assert count_findings(cases)[["finding", "cases"]].to_numpy().tolist() == [
        ["apex first in the source, reversed", 1]
    ]


def test_sizes_are_columns_and_rows(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((5, 4, 3), np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    assert read_sizes(tmp_path, pd.Series(["a"])).iloc[0].to_dict() == {"columns_px": 5, "rows_px": 4, "case": "a"}


@pytest.fixture
def summary(tmp_path):
    """The page of one cohort with two cases, of which one is left out for a reason with markup in it."""
    geometry = {
        "slices": 3,
        "spacing_x_mm": 1.5,
        "spacing_y_mm": 1.5,
        "spacing_z_mm": 8,
        "flipped": False,
        "repairs": "",
    }
    converted = {"case": "x_a_ED", "patient": "a", "excluded": False, **geometry}
    left_out = {"case": "x_b_ED", "patient": "b", "excluded": True, "reason": "<i>blurred</i>"}
    pd.DataFrame([converted, left_out]).to_csv(tmp_path / "cases.csv", index=False)
    pd.DataFrame([{"case": "x_a_ED", "patient": "a", "split": "test"}]).to_csv(tmp_path / "splits.csv", index=False)
    regions = pd.DataFrame({"case": "x_a_ED", "slice": range(3), "region": ["base", "middle", "apex"]})
    regions.to_csv(tmp_path / "slices.csv", index=False)
    nib.save(nib.Nifti1Image(np.zeros((40, 30, 3), np.uint8), np.eye(4)), tmp_path / "x_a_ED.nii.gz")
    outputs = {name: tmp_path / f"{name}.out" for name in ("counts", "left_out", "findings", "html")}
    inputs = {name: [tmp_path / f"{name}.csv"] for name in ("cases", "splits", "slices")}
    write_cohort_summary(cohorts={"x": "Clinic"}, labels=[tmp_path], **inputs, **outputs)
    return outputs


def test_the_counts_add_up_on_the_page(summary):
    text = summary["html"].read_text()
    cells = re.findall(r"<td[^>]*>(.*?)</td>", text)
    assert "Clinic | 2 | 2 | 1 | 1" in " | ".join(cells)
    assert "&lt;i&gt;blurred" in text


def test_the_numbers_are_there_as_csv(summary):
    row = pd.read_csv(summary["counts"]).iloc[0]
    assert (row["cohort"], row["patients"], row["columns_px_max"], row["rows_px_max"]) == ("x", 1, 40, 30)
    assert pd.read_csv(summary["findings"]).empty
