"""Temperatures that make the probabilities as often right as they say."""

import numpy as np
import pandas as pd
import pytest
import yaml

from cmrslices.classification.calibration import (
    TEMPERATURES,
    calibrated,
    fit_temperature,
    log_loss,
    read_temperature,
    write_calibration,
)
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES
from cmrslices.runtime.errors import InputError


def made(slices, temperature):
    """Probabilities that are too sure by a known temperature, and classes drawn from the true ones."""
    draw = np.random.default_rng(0)
    true = draw.dirichlet([0.7] * 4, size=slices)
    classes = (true.cumsum(axis=1) < draw.random((slices, 1))).sum(axis=1)
    return calibrated(true, 1 / temperature), classes


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature):
    probabilities, classes = made(40_000, temperature)
    assert fit_temperature(probabilities, classes) == pytest.approx(temperature, rel=0.03)


def test_no_temperature_has_a_lower_loss():
    probabilities, classes = made(300, 2.0)
    least = log_loss(probabilities, classes, fit_temperature(probabilities, classes))
    assert least <= min(log_loss(probabilities, classes, other) for other in np.geomspace(*TEMPERATURES, 400))


def test_the_loss_is_the_mean_negative_log_of_the_reference_classes_probability():
    probabilities = np.array([[0.5, 0.25, 0.125, 0.125], [0.125, 0.125, 0.25, 0.5]])
    assert log_loss(probabilities, np.array([0, 2]), 1.0) == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_calibrated_probabilities_are_powers_that_sum_to_one():
    halves = calibrated(np.array([[0.64, 0.16, 0.16, 0.04]]), 2.0)
    assert halves.tolist() == [pytest.approx(np.array([0.8, 0.4, 0.4, 0.2]) / 1.8)]


def test_a_temperature_keeps_the_order_of_the_classes():
    probabilities, _ = made(200, 1.0)
    for temperature in TEMPERATURES:
        assert (calibrated(probabilities, temperature).argsort(axis=1) == probabilities.argsort(axis=1)).all()


def test_a_network_that_is_always_right_becomes_sure_but_keeps_a_finite_temperature():
    sure = np.full((5, 4), 0.1) + 0.6 * np.eye(4)[[0, 1, 2, 3, 0]]
    found = fit_temperature(sure, np.array([0, 1, 2, 3, 0]))
    assert TEMPERATURES[0] <= found < 0.1
    assert np.diag(calibrated(sure, found)[:4]) == pytest.approx(np.ones(4))


def test_a_wrong_region_with_probability_zero_has_a_finite_loss():
    assert np.isfinite(log_loss(np.array([[1.0, 0, 0, 0]]), np.array([1]), 1.0))


@pytest.fixture
def cohort(tmp_path):
    """One validation case and one test case; the second network is sure, but about the test case only."""
    regions = ["base", "middle", "apex", NON_CARDIAC]
    rows = [(case, number, region) for case in ("v", "t") for number, region in enumerate(regions)]
    table = pd.DataFrame(rows, columns=["case", "slice", "region"])
    table.assign(patient="p", phase="ED", position=0.5).to_csv(tmp_path / "slices.csv", index=False)
    (tmp_path / "splits.csv").write_text("case,patient,split\nv,v,validation\nt,t,test\n")
    for name, sure in {"first": {"v": 0.7, "t": 0.7}, "second": {"v": 0.1, "t": 0.97}}.items():
        chances = {
            region: [sure[case] if own == region else (1 - sure[case]) / 3 for case, _, own in rows]
            for region in SLICE_CLASSES
        }
        table[["case", "slice"]].assign(**chances).to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def calibrate(folder):
    names = ["first", "second"]
    files = [folder / f"{name}.csv" for name in names]
    write_calibration(names, files, folder / "slices.csv", folder / "splits.csv", folder / "calibration.yaml")
    return yaml.safe_load((folder / "calibration.yaml").read_text())


def test_each_network_and_the_mean_of_all_have_a_temperature(cohort):
    found = calibrate(cohort)
    assert list(found) == ["first", "second", "all"]
    assert all(row["nll_after"] <= row["nll_before"] for row in found.values())
    assert read_temperature(cohort / "calibration.yaml", "all") == found["all"]["temperature"]


def test_only_validation_slices_count(cohort):
    """The second network is always wrong about them, so that it shall be as unsure as possible."""
    found = calibrate(cohort)
    assert {row["slices"] for row in found.values()} == {4}
    assert found["second"]["nll_before"] == pytest.approx(-np.log(0.1), abs=1e-5)
    assert found["second"]["temperature"] > 10


def test_without_validation_slices_the_remedy_is_named(cohort):
    (cohort / "splits.csv").write_text("case,patient,split\nv,v,train\nt,t,test\n")
    with pytest.raises(InputError, match=r"splits\.csv: no case is in the validation split.*splits\.validation"):
        calibrate(cohort)


def test_a_validation_slice_without_probabilities_is_an_error(cohort):
    table = pd.read_csv(cohort / "first.csv")
    for name in ("first", "second"):
        table.iloc[1:].to_csv(cohort / f"{name}.csv", index=False)
    with pytest.raises(InputError, match="first: 1 slices have no probabilities, the first of v"):
        calibrate(cohort)
