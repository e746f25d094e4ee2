"""The quantities of cardiac function from the volumes of ED and ES."""

import numpy as np
import pandas as pd
import pytest

from cmrslices.function import QUANTITIES, VOLUMES, notes, with_fractions


def table(**volumes):
    return with_fractions(pd.DataFrame({name: [volumes.get(name, 100.0)] for name in VOLUMES}))


def test_all_quantities_follow_from_the_volumes():
    found = table(LVEDV=120.0, LVESV=48.0, RVEDV=150.0, RVESV=60.0)
    assert set(found) == set(QUANTITIES)
    assert found.loc[0, ["LVSV", "LVEF", "RVSV", "RVEF"]].tolist() == pytest.approx([72, 60, 90, 60])


def test_an_ejection_fraction_without_a_volume_at_ed_is_empty():
    found = table(LVEDV=0.0)
    assert np.isnan(found.loc[0, "LVEF"])
    assert notes("LVEF", {"predicted": found}).tolist() == ["EDV is 0"]


def test_a_missing_phase_is_said_of_what_it_is_needed_for():
    found = {"predicted": table(LVESV=np.nan)}
    assert {quantity: notes(quantity, found)[0] for quantity in ("LVEDV", "LVESV", "LVEF", "RVEF")} == {
        **{"LVEDV": "", "LVESV": "no ES", "LVEF": "no ES", "RVEF": ""}
    }


def test_a_doubt_about_any_of_several_label_maps_is_said():
    sides = {"reference": table(LVESV=50.0), "predicted": table(LVESV=110.0)}
    assert notes("LVSV", sides).tolist() == ["ES larger than ED"]
