"""Tests with the patient as the unit, beside the paper's tests, which take slices as independent."""

import pandas as pd

from cmrslices.evaluation.answers import ask_one_run, gaps_and_changes
from cmrslices.evaluation.jackknife import MINIMUM_PATIENTS, jackknife
from cmrslices.evaluation.statistics import holm

HOLDS = (
    "† p < {:g} with patients as the unit (cluster jackknife), after Holm's correction within the table. With fewer "
    f"than {MINIMUM_PATIENTS} patients, nothing is marked."
)
"""What the second mark says, for captions; to be formatted with the significance."""
PLACE = ["cohort", "approach", "label", "region"]


def patient_tests(scores: pd.DataFrame, baseline: str, others: list[str]) -> pd.DataFrame:
    """Test the baseline's gap, and the change by every other approach, over patients.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, under one scoring rule, of all approaches.
    baseline : str
    others : list of str

    Returns
    -------
    DataFrame
        cohort, approach (the baseline: its gap; any other: its change), label, region, patients, p_patients (NaN with
        fewer than `MINIMUM_PATIENTS`).

    Raises
    ------
    InputError
        When the approaches are not scored on the same slices.
    """
    parts = [
        answer.table(cohort, p_patients=jackknife(answer.values, answer.patients).p_different())
        for cohort, answer in ask_one_run(scores, baseline, others, gaps_and_changes)
    ]
    return pd.concat(parts, ignore_index=True)[[*PLACE, "patients", "p_patients"]]


def with_patient_tests(table: pd.DataFrame, tests: pd.DataFrame, significance: float) -> pd.DataFrame:
    """Add to a table of the paper what holds with patients as the unit.

    Parameters
    ----------
    table : DataFrame
        With the columns `PLACE`, and significant, by the paper's test.
    tests : DataFrame
        As `patient_tests` gives them.
    significance : float
        p below it is significant.

    Returns
    -------
    DataFrame
        The same rows with the columns patients, p_patients, p_holm (corrected by Holm's procedure over the rows of the
        table) and holds (p_holm is significant). With fewer than `MINIMUM_PATIENTS`, nothing is significant.
    """
    names = dict.fromkeys(PLACE, str)
    both = (
        table.drop(columns="patients", errors="ignore").astype(names).merge(tests.astype(names), on=PLACE, how="left")
    )
    p_holm = holm(both["p_patients"])
    enough = both["patients"].fillna(MINIMUM_PATIENTS) >= MINIMUM_PATIENTS
    return both.assign(p_holm=p_holm, significant=both["significant"] & enough, holds=p_holm < significance)
