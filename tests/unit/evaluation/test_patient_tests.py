"""Tables of the paper with patients as the unit."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmrslices.evaluation.patient_tests import patient_tests, with_patient_tests

PLACE = {"cohort": "acdc", "label": "LVM"}


def slices(changes, copies=1):
    """One row of the apex per patient, copy and approach; the middle is the same everywhere."""
    rows = [
        {"patient": f"p{k}", "case": f"p{k}", "approach": approach, "region": region, "slice": 10 * r + n, "dsc": dsc}
        for k, change in enumerate(changes)
        for approach, apex in (("baseline", 0.5), ("other", 0.5 + change / 100))
        for r, (region, dsc) in enumerate({"middle": 0.9, "apex": apex}.items())
        for n in range(copies)
    ]
    return pd.DataFrame(rows).assign(**PLACE, reference_mm2=9.0, predicted_mm2=9.0)


def of_other(table):
    return table[(table["approach"] == "other") & (table["region"] == "apex") & (table["label"] == "LVM")].iloc[0]


def test_slices_of_a_patient_do_not_count_as_further_patients():
    changes = [1.0, -2.0, 3.0, 4.0, 0.5, 2.0]
    expected = stats.ttest_1samp(changes, 0).pvalue
    for copies in (1, 5):
        row = of_other(patient_tests(slices(changes, copies), "baseline", ["other"]))
        assert row[["patients", "p_patients"]].tolist() == [6, pytest.approx(expected)]


TABLE = pd.DataFrame(
    {"approach": ["a", "b", "c"], "region": "apex", "significant": True, "cohort": "acdc", "label": "LVM"}
)
TESTS = TABLE.drop(columns="significant")


def test_p_is_corrected_over_the_rows_of_the_table():
    found = with_patient_tests(TABLE, TESTS.assign(patients=9, p_patients=[0.004, 0.002, 0.3]), 0.01)
    assert found["p_holm"].tolist() == pytest.approx([0.008, 0.006, 0.3])
    assert found["holds"].tolist() == [True, True, False]


def test_fewer_than_five_patients_have_no_mark():
    found = with_patient_tests(TABLE, TESTS.assign(patients=[9, 4, 9], p_patients=[0.004, np.nan, 0.3]), 0.01)
    assert found["significant"].tolist() == [True, False, True]
    assert found["p_holm"].tolist() == pytest.approx([0.008, np.nan, 0.3], nan_ok=True)
    assert not found.loc[1, "holds"]


def test_a_row_that_is_not_tested_stays():
    found = with_patient_tests(TABLE, TESTS[1:].assign(patients=9, p_patients=0.001), 0.01)
    assert found["approach"].tolist() == ["a", "b", "c"]
    assert not found.loc[0, "holds"]
