"""Whether other trainings would say the same: intervals and tests over runs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmrslices.evaluation.answers import EVERYONE
from cmrslices.evaluation.cells import ALL_LABELS
from cmrslices.evaluation.over_runs import over_runs

RUNS = np.array([1.0, 2.0, 4.0, 2.5, 3.5])


def row(**changes):
    place = {"scoring": "carried", "question": "primary", "cohort": "acdc", "subgroup": EVERYONE, "approach": "joint"}
    place |= {"versus": "baseline", "label": ALL_LABELS, "region": "apex", "low": 2.0, "high": 3.0}
    answered = {"estimate": np.mean(RUNS), "runs": len(RUNS), "run_sd": np.std(RUNS, ddof=1)}
    return place | answered | changes


def told(*rows):
    return over_runs(pd.DataFrame(rows))


def test_the_interval_and_the_test_are_students_over_the_runs():
    (found,) = told(row()).itertuples()
    expected = stats.ttest_1samp(RUNS, 0)
    assert [found.low, found.high] == pytest.approx(list(expected.confidence_interval()))
    assert found.p_holm == pytest.approx(expected.pvalue)


def test_p_is_corrected_over_the_answers_of_a_scoring_rule_and_question():
    found = told(row(), row(region="all"), row(scoring="union"), row(question="gap"))
    alone = stats.ttest_1samp(RUNS, 0).pvalue
    assert found["p_holm"].tolist() == pytest.approx([2 * alone, 2 * alone, alone, alone])


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "LVM"},
        {"question": "missed"},
        {"subgroup": "phase ED"},
        {"low": np.nan, "high": np.nan},  # too few patients
        {"runs": 2},
    ],
)
def test_what_is_not_asked_about_runs_is_left_out(changes):
    assert told(row(**changes)).empty


def test_runs_that_answer_the_same_leave_the_interval_open():
    (found,) = told(row(run_sd=0.0)).itertuples()
    assert np.isnan([found.low, found.high, found.p_holm]).all()
