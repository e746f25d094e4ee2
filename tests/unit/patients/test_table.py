"""The function of all new patients in one table."""

import numpy as np
import pandas as pd

from cmrslices.cohorts.regions import PAPER
from cmrslices.patients.function import case_rows, patient_rows
from cmrslices.patients.table import write_patients
from cmrslices.presentation import tables


def test_all_cohorts_and_approaches_stand_below_each_other_with_names_as_they_are(tmp_path):
    cases = pd.DataFrame({"patient": ["0010"] * 2, "case": ["a", "b"], "phase": ["ED", "ES"], "frame": [0, 1]})
    people = patient_rows(case_rows(cases, [np.array([[60.0, 50, 80]]), np.array([[30.0, 50, 40]])], PAPER))
    files = []
    for approach in ("baseline", "other"):
        files.append(tmp_path / f"{approach}.csv")
        about = {"cohort": "clinic", "approach": approach}
        files[-1].write_text(tables.csv(people.assign(**about)[[*about, *people]]))
    made = [tmp_path / f"function.{ending}" for ending in ("csv", "md", "html")]
    write_patients(files, {"clinic": "Clinic"}, {"baseline": "Baseline", "other": "Other"}, made)
    whole = pd.read_csv(made[0], dtype=str)
    assert whole[["cohort", "approach", "patient", "LVEF_percent"]].values.tolist() == [
        ["clinic", "baseline", "0010", "50"],
        ["clinic", "other", "0010", "50"],
    ]
    assert "| Clinic " in made[1].read_text() and "50.00" in made[1].read_text()
