"""Whether other trainings would say the same: intervals and tests over runs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmrslices.evaluation.over_runs import over_runs

RUNS = np.array([1.0, 2.0, 4.0, 2.5, 3.5])


def row(**changes):
    answered = {"question": "primary", "low": 2.0, "high": 3.0}
    answered |= {"estimate": np.mean(RUNS), "runs": len(RUNS), "run_sd": np.std(RUNS, ddof=1)}
    return answered | changes


def told(*rows):
    return over_runs(pd.DataFrame(rows), ["question"])


def test_the_interval_and_the_test_are_students_over_the_runs():
    (found,) = told(row()).itertuples()
    expected = stats.ttest_1samp(RUNS, 0)
    assert [found.low, found.high] == pytest.approx(list(expected.confidence_interval()))
    assert [found.p, found.p_holm] == pytest.approx([expected.pvalue] * 2)


def test_p_is_corrected_within_a_family():
    found = told(row(), row(), row(question="gap"))
    alone = stats.ttest_1samp(RUNS, 0).pvalue
    assert found["p_holm"].tolist() == pytest.approx([2 * alone, 2 * alone, alone])


@pytest.mark.parametrize("few", [{"runs": 2}, {"low": np.nan, "high": np.nan}])
def test_with_two_runs_or_too_few_patients_nothing_is_told(few):
    assert told(row(**few), row())["runs"].tolist() == [5]


def test_runs_that_answer_the_same_leave_the_interval_open():
    (found,) = told(row(run_sd=0.0)).itertuples()
    assert np.isnan([found.low, found.high, found.p_holm]).all()
