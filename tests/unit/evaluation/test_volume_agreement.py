"""Agreement of volumes with the reference, and the regions' shares of the error."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmrslices.evaluation.function import patient_function
from cmrslices.evaluation.volume_agreement import differences, icc, volume_agreement
from cmrslices.evaluation.volume_errors import ALL_SLICES, volume_errors
from cmrslices.function import QUANTITIES, VOLUMES
from cmrslices.labels import TABLE_ORDER

SHROUT_AND_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def volumes(patients, approach="baseline", seed=0):
    """Random volumes of every patient, quantity and region, as `regional_volumes` gives them."""
    random = np.random.default_rng(seed)
    keys = {
        "patient": [f"{number:03d}" for number in range(patients)],
        "quantity": list(VOLUMES),
        "region": TABLE_ORDER,
    }
    table = pd.MultiIndex.from_product(keys.values(), names=keys).to_frame(index=False)
    reference = random.uniform(10, 40, len(table))
    predicted = reference + random.normal(1, 4, len(table))
    return table.assign(cohort="acdc", approach=approach, reference=reference, predicted=predicted)


# ---- ICC --------------------------------------------------------------------


def anova_icc(ratings):
    """ICC(2,1) from the sums of squares of two-way least squares with dummy variables, an independent computation."""
    patients, raters = ratings.shape
    of_patient, of_rater = np.repeat(np.eye(patients), raters, axis=0), np.tile(np.eye(raters), (patients, 1))

    def residual(*columns):
        design = np.column_stack([np.ones(ratings.size), *columns])
        values = ratings.ravel().astype(float)
        return ((values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) ** 2).sum()

    error = residual(of_patient, of_rater)
    freedom = (patients - 1) * (raters - 1)
    rows = (residual(of_rater) - error) / (patients - 1)
    columns = (residual(of_patient) - error) / (raters - 1)
    mean_error = error / freedom
    return (rows - mean_error) / (rows + (raters - 1) * mean_error + raters * (columns - mean_error) / patients)


def test_the_icc_of_shrout_and_fleiss_is_theirs():
    assert round(icc(SHROUT_AND_FLEISS), 2) == 0.29


@pytest.mark.parametrize("seed", range(5))
def test_the_icc_is_that_of_an_analysis_of_variance(seed):
    random = np.random.default_rng(seed)
    ratings = random.normal(100, 20, (12, 1)) + random.normal((0, 5), 6, (12, 2))
    assert icc(ratings) == pytest.approx(anova_icc(ratings), abs=1e-12)


def test_a_bias_lowers_the_icc_and_not_the_correlation():
    reference = np.array([100, 120, 140, 160, 180.0])
    found = differences(np.column_stack([reference, reference + 20]))
    assert found["r"] == pytest.approx(1)
    assert found["icc"] < 0.85


def test_raters_who_agree_have_an_icc_of_1():
    values = np.array([1, 2, 3, 4, 5.0])
    assert icc(np.column_stack([values, values])) == 1


def test_equal_values_have_neither_icc_nor_correlation():
    found = differences(np.full((6, 2), 50.0))
    assert np.isnan(found["icc"])
    assert np.isnan(found["r"])
    assert found["low"] == found["high"] == 0


# ---- Agreement --------------------------------------------------------------


def test_bias_limits_errors_and_correlation_are_those_of_numpy_and_scipy():
    random = np.random.default_rng(1)
    both = random.normal(100, 20, (30, 1)) + random.normal(2, 5, (30, 2))
    error = both[:, 1] - both[:, 0]
    sd = np.sqrt(((error - error.mean()) ** 2).sum() / 29)
    expected = {"bias": error.mean(), "sd": sd, "low": error.mean() - 1.96 * sd, "high": error.mean() + 1.96 * sd}
    expected |= {"mean_absolute_error": np.abs(error).mean(), "median_absolute_error": np.median(np.abs(error))}
    expected |= {"icc": anova_icc(both), "r": stats.pearsonr(*both.T).statistic}
    assert differences(both) == pytest.approx(expected)


@pytest.mark.parametrize(("patients", "given"), [(4, False), (5, True)])
def test_fewer_than_five_patients_have_no_limits_no_icc_and_no_correlation(patients, given):
    row = volume_agreement(patient_function(volumes(patients))).set_index("quantity").loc["LVEF"]
    assert row["patients"] == patients
    assert row[["bias", "sd", "mean_absolute_error", "median_absolute_error"]].notna().all()
    assert row[["low", "high", "icc", "r"]].notna().tolist() == [given] * 4


def test_every_quantity_has_a_row_also_where_no_patient_has_it():
    only_ed = volumes(6).query("quantity != 'LVESV' and quantity != 'RVESV'")
    table = volume_agreement(patient_function(only_ed)).set_index("quantity")
    assert list(table.index) == list(QUANTITIES)
    assert table.loc["LVEF", ["patients", "missing_phase"]].tolist() == [0, 6]
    assert np.isnan(table.loc["LVEF", "bias"])


def test_undefined_efs_and_es_above_ed_are_counted():
    table = volumes(6)
    first = (table["patient"] == "000") & (table["quantity"] == "LVEDV")
    second = (table["patient"] == "001") & (table["quantity"] == "LVESV")
    table.loc[first, "predicted"] = 0
    table.loc[second, "predicted"] += 1000
    row = volume_agreement(patient_function(table)).set_index("quantity").loc["LVEF"]
    calm = patient_function(table).query("quantity == 'LVEF'").set_index("patient")["note"].drop(["000", "001"])
    assert row[["patients", "undefined"]].tolist() == [5, 1]
    assert row["es_larger"] == 1 + (calm != "").sum()


# ---- Regions ----------------------------------------------------------------


def test_the_regions_errors_sum_to_the_bias():
    table = pd.concat([volumes(7), volumes(7, "other", seed=3)], ignore_index=True)
    errors = volume_errors(table).set_index(["approach", "quantity", "region"])["mean_error"]
    agreement = volume_agreement(patient_function(table)).set_index(["approach", "quantity"])["bias"]
    for key in errors.index.droplevel("region").unique():
        assert errors[(*key, ALL_SLICES)] == pytest.approx(agreement[key], abs=1e-12)
        assert sum(errors[(*key, region)] for region in TABLE_ORDER) == pytest.approx(agreement[key], abs=1e-12)


def test_the_absolute_error_of_all_slices_is_that_of_the_agreement():
    table = volumes(7)
    errors = volume_errors(table).query("region == 'all'").set_index("quantity")["mean_absolute_error"]
    agreement = volume_agreement(patient_function(table)).set_index("quantity")["mean_absolute_error"]
    pd.testing.assert_series_equal(errors, agreement[list(VOLUMES)])


def test_errors_that_cancel_leave_their_absolute_error():
    table = volumes(2).query("quantity == 'LVEDV'").assign(reference=10.0, predicted=10.0)
    table.loc[(table["region"] == "base"), "predicted"] = [15.0, 5.0]
    row = volume_errors(table).query("quantity == 'LVEDV'").set_index("region").loc["base"]
    assert row[["mean_error", "mean_absolute_error"]].tolist() == [0, 5]


def test_a_patient_without_slices_of_a_region_has_no_error_there():
    table = volumes(4).query("quantity == 'LVEDV'")
    fewer = table[(table["region"] != "apex") | (table["patient"] == "000")].assign(reference=0.0, predicted=8.0)
    rows = volume_errors(fewer).set_index("region")
    assert rows.loc["apex", "patients"] == 4
    assert rows.loc["apex", "mean_error"] == 2
