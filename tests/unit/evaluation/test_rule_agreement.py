"""Whether a finding holds under every rule."""

import pandas as pd
import pytest

from cmrslices.evaluation.rule_agreement import EVERY_RULE, NONE, TURNS, across_rules

RULES = ("carried", "union", "all")
HOLDS, ABOVE, BELOW, OPEN = (1.0, 3.0, 0.01), (0.5, 3.0, 0.2), (-3.0, -1.0, 0.01), (-1.0, 2.0, 1.0)
"""Low, high and corrected p: holds; above 0, but not after correction; below 0; and neither."""


def found(**rules):
    rows = [
        {"scoring": rule, "low": low, "high": high, "estimate": (low + high) / 2, "p_holm": p}
        for rule, (low, high, p) in rules.items()
    ]
    place = {"question": "gap", "cohort": "acdc", "subgroup": "all", "approach": "baseline", "versus": ""}
    return pd.DataFrame(rows).assign(**place, label="RVBP", region="base")


@pytest.mark.parametrize(
    ("carried", "union", "everything", "verdict"),
    [
        (HOLDS, HOLDS, HOLDS, EVERY_RULE),
        (HOLDS, HOLDS, ABOVE, "only under carried and union"),
        (HOLDS, OPEN, OPEN, "only under carried"),
        (ABOVE, OPEN, OPEN, NONE),
        (BELOW, ABOVE, OPEN, TURNS),
        (BELOW, HOLDS, HOLDS, TURNS),
    ],
)
def test_verdict_of_a_finding(carried, union, everything, verdict):
    (row,) = across_rules(found(carried=carried, union=union, all=everything), "scoring", RULES).itertuples()
    assert row.verdict == verdict
    assert (row.carried_low, row.all_high) == (carried[0], everything[1])


def test_what_no_rule_tells_from_0_is_no_finding():
    assert across_rules(found(carried=OPEN, union=OPEN, all=OPEN), "scoring", RULES).empty


def test_a_cohort_without_gaps_and_differences_has_no_finding():
    assert across_rules(found(carried=HOLDS, union=HOLDS, all=HOLDS).assign(question="missed"), "scoring", RULES).empty


def test_an_answer_without_an_interval_is_no_finding():
    nothing = (float("nan"), float("nan"), float("nan"))
    assert across_rules(found(carried=nothing, union=nothing, all=nothing), "scoring", RULES).empty
