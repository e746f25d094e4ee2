"""Whether a finding holds under every scoring rule."""

import pandas as pd
import pytest

from cmrslices.evaluation.rule_agreement import EVERY_RULE, TURNS, across_rules

ABOVE, BELOW, OPEN = (1.0, 3.0), (-3.0, -1.0), (-1.0, 2.0)


def found(**intervals):
    rows = [
        {"scoring": rule, "low": low, "high": high, "estimate": (low + high) / 2}
        for rule, (low, high) in intervals.items()
    ]
    place = {"question": "gap", "cohort": "acdc", "subgroup": "all", "approach": "baseline", "versus": ""}
    return pd.DataFrame(rows).assign(**place, label="RVBP", region="base")


@pytest.mark.parametrize(
    ("carried", "union", "everything", "verdict"),
    [
        (ABOVE, ABOVE, ABOVE, EVERY_RULE),
        (BELOW, ABOVE, ABOVE, TURNS),
        (BELOW, ABOVE, OPEN, TURNS),
        (ABOVE, OPEN, OPEN, "only under carried"),
        (OPEN, BELOW, BELOW, "only under union and all"),
    ],
)
def test_verdict_of_a_finding(carried, union, everything, verdict):
    (row,) = across_rules(found(carried=carried, union=union, all=everything)).itertuples()
    assert row.holds == verdict
    assert (row.carried_low, row.all_high) == (carried[0], everything[1])


def test_what_no_rule_tells_from_0_is_no_finding():
    assert across_rules(found(carried=OPEN, union=OPEN, all=OPEN)).empty


def test_an_answer_without_an_interval_is_no_finding():
    nothing = (float("nan"), float("nan"))
    assert across_rules(found(carried=nothing, union=nothing, all=nothing)).empty
