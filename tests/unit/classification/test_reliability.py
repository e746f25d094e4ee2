"""Calibration error and Brier score against values worked out by hand; the table and the diagram."""

import numpy as np
import pandas as pd
import pytest
import yaml

from cmrslices.classification.reliability import (
    BINS,
    brier_score,
    expected_calibration_error,
    reliability_bins,
    write_reliability,
)
from cmrslices.cohorts.regions import PAPER
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES


def top(*values):
    """Probabilities whose first class has these; the three others share the rest."""
    return np.array([[value, *[(1 - value) / 3] * 3] for value in values])


def test_the_calibration_error_is_the_mean_distance_weighted_by_slices():
    """Two slices at 0.9, one of them right, and two at 0.7, both right: (2 * 0.4 + 2 * 0.3) / 4."""
    bins = reliability_bins(top(0.9, 0.9, 0.7, 0.7), np.array([0, 1, 0, 0]))
    assert expected_calibration_error(bins) == pytest.approx(0.35)


def test_within_a_bin_confidence_and_accuracy_are_means():
    """0.81 and 0.86 are both above 12/15 and not above 13/15."""
    bins = reliability_bins(top(0.81, 0.86), np.array([0, 1]))
    (row,) = bins[bins["slices"] > 0].itertuples()
    assert (row.low, row.slices, row.confidence, row.accuracy) == pytest.approx((12 / 15, 2, 0.835, 0.5))


def test_the_upper_bound_of_a_bin_belongs_to_it():
    bins = reliability_bins(top(1.0, 0.8), np.array([0, 0]))
    assert bins.loc[bins["slices"] > 0, "low"].tolist() == pytest.approx([11 / 15, 14 / 15])
    assert len(bins) == BINS == 15


def test_who_is_as_often_right_as_he_says_has_no_error():
    bins = reliability_bins(top(*[0.75] * 4), np.array([0, 0, 0, 1]))
    assert expected_calibration_error(bins) == pytest.approx(0)


@pytest.mark.parametrize(
    ("probabilities", "score"),
    [([1, 0, 0, 0], 0), ([0, 1, 0, 0], 2), ([0.25] * 4, 0.75), ([0.7, 0.1, 0.1, 0.1], 0.09 + 3 * 0.01)],
)
def test_the_brier_score_is_the_squared_distance_to_certainty(probabilities, score):
    assert brier_score(np.array([probabilities]), np.array([0])) == pytest.approx(score)


def test_the_brier_score_is_the_mean_over_slices():
    assert brier_score(np.eye(4)[[0, 1]], np.array([0, 0])) == pytest.approx(1)


@pytest.fixture
def written(tmp_path):
    """The files of a cohort with one test case of five labelled slices and a last one without a label."""
    regions = ["base", "middle", "middle", "middle", "apex", NON_CARDIAC]
    table = pd.DataFrame({"case": "t", "slice": range(6), "region": regions})
    table.assign(patient="p", phase="ED", position=0.5).to_csv(tmp_path / "slices.csv", index=False)
    (tmp_path / "splits.csv").write_text("case,patient,split\nt,t,test\n")
    for name, sure in {"one": 0.7, "two": 0.1, "head": 0.4}.items():
        chances = {c: [sure if own == c else (1 - sure) / 3 for own in regions] for c in SLICE_CLASSES}
        table[["case", "slice"]].assign(**chances).to_csv(tmp_path / f"{name}.csv", index=False)
    temperatures = {name: {"temperature": 2.0} for name in ("one", "two", "all")}
    (tmp_path / "calibration.yaml").write_text(yaml.safe_dump(temperatures))
    (tmp_path / "head.yaml").write_text(yaml.safe_dump({"joint": {"temperature": 0.5}}))
    write_reliability(
        networks={"one": "One", "two": "Two"},
        probabilities=[tmp_path / "one.csv", tmp_path / "two.csv"],
        slices=tmp_path / "slices.csv",
        splits=tmp_path / "splits.csv",
        calibration=tmp_path / "calibration.yaml",
        select_on="test",
        rule=PAPER,
        table=[tmp_path / f"table.{ending}" for ending in ("csv", "md", "html")],
        figure=[tmp_path / f"figure.{ending}" for ending in ("png", "pdf", "html")],
        heads=["joint"],
        head_probabilities=[tmp_path / "head.csv"],
        head_calibrations=[tmp_path / "head.yaml"],
    )
    return tmp_path


def test_the_table_has_each_network_the_mean_each_head_and_the_rule_without_an_image(written):
    table = pd.read_csv(written / "table.csv").set_index("network")
    assert table.index.tolist() == ["one", "two", "all", "head of joint", "none"]
    assert table["right_percent"].tolist() == pytest.approx([100, 0, 100, 100, 400 / 6], rel=1e-4)
    assert table.loc["one", "ece_percent_before"] == pytest.approx(30)
    assert table.loc["one", "brier_before"] == pytest.approx(0.12)
    assert table.loc["none", "temperature":].drop("right_percent").isna().all()


def test_a_temperature_above_one_takes_confidence_away(written):
    """Of 0.7 and three times 0.1, the roots are in the proportion of 2.6458 to 1."""
    table = pd.read_csv(written / "table.csv").set_index("network")
    confidence = 7**0.5 / (7**0.5 + 3)
    assert table.loc["one", "ece_percent_after"] == pytest.approx(100 * (1 - confidence), rel=1e-4)


def test_a_head_is_calibrated_by_its_own_temperature(written):
    """Of 0.4 and three times 0.2, the squares are in the proportion of 4 to 1."""
    row = pd.read_csv(written / "table.csv").set_index("network").loc["head of joint"]
    assert row["temperature"] == 0.5
    assert row["ece_percent_before"] == pytest.approx(60, rel=1e-4)
    assert row["ece_percent_after"] == pytest.approx(100 * (1 - 4 / 7), rel=1e-4)
    assert "Head of joint" in (written / "table.md").read_text()


def test_the_row_without_an_image_and_the_binning_are_told_to_readers(written):
    for ending in ("md", "html"):
        text = (written / f"table.{ending}").read_text()
        assert "no image: every slice is cardiac, regions by index" in text
        assert "15 bins of equal width" in text


def test_the_diagram_is_written(written):
    assert all((written / f"figure.{ending}").stat().st_size > 1000 for ending in ("png", "pdf", "html"))
