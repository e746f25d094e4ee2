"""Intervals over patients: Student's t where each has one slice, and coverage where a patient has several."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from cmrslices.evaluation.jackknife import jackknife, leave_out_each


def means(dsc, slices):
    """Mean over all slices, and without each patient; arrays of shape (..., patients)."""
    axes = [f"axis{number}" for number in range(np.ndim(dsc) - 1)] + ["patient"]
    sums = leave_out_each(xr.Dataset({"dsc": (axes, dsc), "slices": (axes, slices)}))
    return sums["dsc"] / sums["slices"].where(sums["slices"] > 0)


def test_with_one_slice_each_the_interval_and_p_are_students():
    values = np.random.default_rng(1).normal(1, 2, 12)
    found = jackknife(means(values, np.ones(12)), xr.DataArray(12))
    expected = stats.ttest_1samp(values, 0)
    low, high = found.interval()
    assert (low.item(), high.item()) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p_different().item() == pytest.approx(expected.pvalue)


def test_equal_slices_of_a_patient_say_nothing_more():
    values, slices = np.random.default_rng(2).normal(0, 1, 9), np.ones(9)
    one, ten = (jackknife(means(n * values, n * slices), xr.DataArray(9)).standard_error.item() for n in (1, 10))
    assert ten == pytest.approx(one)


def test_an_answer_that_hangs_on_one_patient_has_no_interval():
    """Only the first patient has slices of the kind: without it the mean is undefined."""
    slices = np.array([3.0, 0, 0, 0, 0, 0])
    low, high = jackknife(means(50 * slices, slices), xr.DataArray(6)).interval()
    assert np.isnan([low.item(), high.item()]).all()


def test_equivalence_is_not_shown_outside_the_margin():
    found = jackknife(means(np.array([2.0, 2.1, 1.9, 2.0, 2.2]), np.ones(5)), xr.DataArray(5))
    near, far = (found.p_equivalent(margin).item() for margin in (3.0, 1.0))
    assert near < 0.01
    assert far > 0.99


@pytest.mark.parametrize("patients", [8, 20, 50])
def test_intervals_hold_the_truth_as_often_as_they_say(patients):
    """Patients vary by 2 points, slices by 1; each patient has 1 to 8 slices."""
    generator = np.random.default_rng(5)
    slices = generator.integers(1, 9, (1000, patients)).astype(float)
    dsc = slices * (1 + generator.normal(0, 2, slices.shape)) + generator.normal(0, 1, slices.shape) * np.sqrt(slices)
    low, high = jackknife(means(dsc, slices), xr.DataArray(patients)).interval()
    assert 0.93 <= float(((low <= 1) & (high >= 1)).mean()) <= 0.97
