"""The errors of cardiac function, compared with patients as the unit, in one run and in several."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmrslices.evaluation.function_change_tables import RUNS_QUESTION, sections
from cmrslices.evaluation.function_changes import function_changes

ERRORS = {"baseline": [4, -6, 10, -2, 8, 3], "remedy": [1, -2, 12, -1, 4, 2], "control": [2, -3, 4, -5, 6, 1]}
"""Prediction minus reference of six patients, by approach."""


def function(errors=ERRORS, run="one", quantity="LVEDV", cohort="acdc"):
    rows = [
        (cohort, approach, f"p{number}", quantity, 100.0, 100.0 + error, run)
        for approach, values in errors.items()
        for number, error in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["cohort", "approach", "patient", "quantity", "reference", "predicted", "run"])


def row(found, question, approach, **others):
    chosen = found[(found["question"] == question) & (found["approach"] == approach)]
    for column, value in others.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_an_error_is_the_mean_distance_from_the_reference_whatever_its_side():
    found = row(function_changes(function(), "baseline", {}), "error", "baseline")
    assert found["estimate"] == pytest.approx(np.mean(np.abs(ERRORS["baseline"])))
    assert (found["versus"], found["unit"], found["patients"]) == ("", "ml", 6)
    assert np.isnan(found["p"])


@pytest.mark.parametrize(("question", "versus"), [("change", "baseline"), ("primary", "control")])
def test_one_run_is_compared_by_the_paired_t_test_of_the_patients(question, versus):
    found = row(function_changes(function(), "baseline", {"remedy": "control"}), question, "remedy")
    difference = np.abs(ERRORS["remedy"]) - np.abs(ERRORS[versus])
    test = stats.ttest_1samp(difference, 0)
    low, high = test.confidence_interval(0.95)
    assert found["versus"] == versus
    assert [found[name] for name in ("estimate", "low", "high", "p")] == pytest.approx(
        [difference.mean(), low, high, test.pvalue]
    )


def test_folds_with_other_patients_count_like_one_run_of_all_patients():
    errors = {name: np.array(values) * 1.5 + 1 for name, values in ERRORS.items()}
    others = function(errors, run="two").assign(patient=lambda table: "q" + table["patient"])
    folds = pd.concat([function(), others])
    whole = folds.assign(run="one")
    numbers = ["estimate", "low", "high", "p", "p_holm", "patients"]
    together = function_changes(folds, "baseline", {"remedy": "control"})
    pd.testing.assert_frame_equal(
        together[numbers], function_changes(whole, "baseline", {"remedy": "control"})[numbers]
    )
    assert set(together["runs"]) == {2}


def test_a_patient_of_two_seeds_is_one_patient_and_the_runs_stand_beside():
    doubled = {name: [2 * value for value in values] for name, values in ERRORS.items()}
    seeds = pd.concat([function(), function(doubled, run="two")])
    found, single = (row(function_changes(table, "baseline", {}), "change", "remedy") for table in (seeds, function()))
    assert found["patients"] == 6
    assert (found["highest_run"], found["lowest_run"]) == pytest.approx((single["estimate"], 2 * single["estimate"]))
    for name in ("estimate", "low", "high"):
        assert found[name] == pytest.approx(1.5 * single[name])


def test_a_run_without_the_quantity_is_not_counted():
    without = function(run="two", quantity="LVEF")
    found = function_changes(pd.concat([function(), function(run="three"), without]), "baseline", {})
    assert row(found, "change", "remedy", quantity="LVEDV")["runs"] == 2


def test_a_patient_without_the_quantity_by_either_approach_is_left_out_of_the_comparison():
    table = function()
    lacks = (table["approach"] == "remedy") & (table["patient"] == "p2")
    found = function_changes(table.assign(predicted=table["predicted"].mask(lacks)), "baseline", {})
    others = [0, 1, 3, 4, 5]
    expected = np.mean(np.abs(ERRORS["remedy"])[others] - np.abs(ERRORS["baseline"])[others])
    assert row(found, "change", "remedy")["estimate"] == pytest.approx(expected)
    assert (row(found, "change", "remedy")["patients"], row(found, "error", "baseline")["patients"]) == (5, 6)


def test_holm_corrects_each_question_over_all_its_quantities_and_cohorts():
    table = pd.concat([function(), function(quantity="LVEF"), function(cohort="mnms")])
    found = function_changes(table, "baseline", {"remedy": "control"})
    for question, tests in {"change": 2 * 3, "primary": 3}.items():
        part = found[found["question"] == question]
        assert part["p_holm"].min() == pytest.approx(min(tests * part["p"].min(), 1))
    assert found.loc[found["question"] == "error", "p_holm"].isna().all()


@pytest.mark.parametrize(("runs", "told"), [(2, False), (3, True)])
def test_three_runs_say_whether_other_trainings_would_say_the_same(runs, told):
    """The remedy's errors grow by 1 ml from run to run."""
    larger = [ERRORS | {"remedy": [abs(value) + number for value in ERRORS["remedy"]]} for number in range(runs)]
    table = pd.concat(function(errors, run=str(number)) for number, errors in enumerate(larger))
    found = function_changes(table, "baseline", {"remedy": "control"})
    over_the_runs = [part for part in sections(found, {"acdc": "ACDC"}, {}) if part.title == RUNS_QUESTION[0]]
    assert len(over_the_runs) == told
    if told:
        change = np.mean(np.abs(ERRORS["remedy"])) + 1 - np.mean(np.abs(ERRORS["control"]))
        half = stats.t.ppf(0.975, 2) / np.sqrt(3)
        expected = f"{change:.2f} [{change - half:.2f}, {change + half:.2f}] ({change - 1:.2f} to {change + 1:.2f})"
        assert over_the_runs[0].cells["LVEDV (ml)"].tolist() == [expected]


def test_fewer_than_five_patients_have_no_interval_and_no_test():
    found = function_changes(function({name: values[:4] for name, values in ERRORS.items()}), "baseline", {})
    assert found["estimate"].notna().all()
    assert found[["low", "high", "p", "p_holm"]].isna().all(axis=None)


def test_quantities_come_in_reporting_order():
    table = pd.concat([function(quantity=name) for name in ("RVEF", "LV mass", "LVESV")])
    found = function_changes(table, "baseline", {})
    assert found["quantity"].drop_duplicates().tolist() == ["LVESV", "LV mass", "RVEF"]
