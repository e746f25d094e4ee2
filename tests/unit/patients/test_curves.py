"""Curves of the volumes over the cycle, a panel for each patient."""

import numpy as np
import pandas as pd

from cmrslices.patients.curves import LINES, MOST, draw_curves


def drawn(patients=1, phases=("f00", "f01", "f02"), chosen=("ED", "", "ES")):
    rows = [
        {"patient": f"p{number}", "phase": phase, "chosen": name, "LVBP_ml": 90.0, "LVM_ml": 100.0, "RVBP_ml": 120.0}
        for number in range(patients)
        for phase, name in zip(phases, chosen, strict=True)
    ]
    people = pd.DataFrame({"patient": [f"p{number}" for number in range(patients)]})
    people["LVEF_percent"] = np.where(people.index == 0, 55.4, np.nan)
    return draw_curves(pd.DataFrame(rows), people, "Clinic, baseline")


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_visible()]


def test_every_patient_has_a_panel_with_the_ejection_fraction():
    assert titles(drawn(patients=2)) == ["p0\nLVEF 55 %", "p1\nLVEF unknown"]


def test_ed_and_es_are_marked():
    panel = drawn().axes[0]
    assert [text.get_text() for text in panel.texts] == ["ED", "ES"]


def test_given_phases_stand_on_the_axis():
    panel = drawn(phases=("ED", "ES"), chosen=("ED", "ES")).axes[0]
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["ED", "ES"]


def test_a_figure_says_that_it_does_not_show_all_patients():
    figure = drawn(patients=MOST + 2)
    assert len(titles(figure)) == MOST
    assert figure.get_suptitle() == f"Clinic, baseline, the first {MOST} of {MOST + 2} patients"


def test_a_long_name_is_shortened():
    people = pd.DataFrame({"patient": ["p" * 40], "LVEF_percent": [50.0]})
    cases = pd.DataFrame([{"patient": "p" * 40, "phase": "f00", "chosen": "", **dict.fromkeys(LINES, 1.0)}])
    assert titles(draw_curves(cases, people, "Clinic")) == [f"{'p' * 19}…\nLVEF 50 %"]
