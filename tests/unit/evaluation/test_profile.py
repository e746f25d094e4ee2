"""The profile from base to apex, and the figure that shows it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmrslices.evaluation.figure2 import write_figure2
from cmrslices.evaluation.profile import case_profile, profiles, region_bounds
from cmrslices.evaluation.scores import read_scores

APPROACHES = {"baseline": "Baseline", "other": "Other"}


def test_slices_are_interpolated_linearly():
    profile = case_profile(np.array([0, 0.5, 1]), np.array([80.0, 90.0, 70.0]), points=5)
    assert profile.tolist() == [80, 85, 90, 80, 70]


def test_nothing_is_extrapolated():
    profile = case_profile(np.array([0.25, 0.75]), np.array([80.0, 90.0]), points=5)
    np.testing.assert_equal(profile, [np.nan, 80, 85, 90, np.nan])


@pytest.mark.parametrize("slices", range(4, 30))
def test_the_end_slices_are_met_exactly(slices):
    positions = (np.arange(1, slices - 1) / (slices - 1)).round(6)
    profile = case_profile(positions, np.ones(slices - 2), points=slices)
    assert np.flatnonzero(~np.isnan(profile)).tolist() == list(range(1, slices - 1))


def test_a_single_slice_stands_at_the_centre():
    profile = case_profile(np.array([0.5]), np.array([80.0]), points=101)
    assert np.flatnonzero(~np.isnan(profile)).tolist() == [50]


@pytest.fixture
def scores_csv(tmp_path):
    """Two cases of five slices; the apical slice does not carry the RVBP."""
    rows = []
    for approach, gain in (("baseline", 0.0), ("other", 0.1)):
        for case, dsc in (("c_1_ED", 0.5), ("c_2_ED", 0.7)):
            for k, region in enumerate(("base", "middle", "middle", "middle", "apex")):
                for label in ("LVBP", "LVM", "RVBP"):
                    carried = (label, region) != ("RVBP", "apex")
                    rows.append((approach, case, k, region, k / 4, label, dsc + gain if carried else np.nan))
    columns = ["approach", "case", "slice", "region", "position", "label", "dsc"]
    table = pd.DataFrame(rows, columns=columns).assign(cohort="c", patient="1", phase="ED")
    table.to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path / "scores.csv"


def test_the_profile_is_the_mean_and_spread_over_the_cases(scores_csv):
    table = profiles(read_scores([scores_csv], approaches=APPROACHES), points=101)
    first = table.iloc[0]
    assert first[["approach", "label"]].tolist() == ["baseline", "LVBP"]
    expected = [0, 60, np.sqrt(200), 55, 60, 65, 2]
    assert first[["position", "mean", "sd", "q25", "median", "q75", "cases"]].tolist() == pytest.approx(expected)


def test_the_band_is_the_interval_over_patients():
    """With one case each, it is Student's interval of the patients' values."""
    dsc = [0.5, 0.6, 0.7, 0.9, 0.65, 0.8]
    table = pd.DataFrame({"patient": [f"p{k}" for k in range(6)], "dsc": dsc}).assign(position=0.5, region="middle")
    row = profiles(table.assign(case=table["patient"], approach="a", label="LVM"), points=3).loc[1]
    expected = stats.ttest_1samp(100 * np.array(dsc), 0).confidence_interval(0.95)
    assert row[["low", "high"]].tolist() == pytest.approx(list(expected))


def test_positions_that_no_case_reaches_count_no_cases(scores_csv):
    table = profiles(read_scores([scores_csv], approaches=APPROACHES), points=101)
    right = table[(table["approach"] == "other") & (table["label"] == "RVBP")]
    assert right["cases"].tolist() == [2] * 76 + [0] * 25


def test_region_bounds_lie_halfway_between_the_slices_they_separate(scores_csv):
    assert region_bounds(read_scores([scores_csv])) == (0.125, 0.875)


def test_the_figure_repeats_byte_for_byte(scores_csv, tmp_path):
    runs = []
    for name in ("a", "b"):
        files = [tmp_path / f"{name}.{ending}" for ending in ("png", "pdf", "html", "csv")]
        write_figure2([scores_csv], APPROACHES, 101, figure=files[:3], csv=files[3])
        runs.append([file.read_bytes() for file in files])
    assert runs[0] == runs[1]
    assert [file[:4] for file in runs[0][:2]] == [b"\x89PNG", b"%PDF"]


def test_cases_without_a_region_leave_its_bound_out(scores_csv):
    scores = read_scores([scores_csv])
    _, apex = region_bounds(scores[scores["region"] != "apex"])
    assert np.isnan(apex)
