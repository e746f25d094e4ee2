"""Scores by another rule of which labelled slices are base and apex."""

import pandas as pd

from cmrslices.cohorts.regions import RegionRule
from cmrslices.evaluation.region_rules import REGION_RULES, under_region_rule
from cmrslices.labels import TABLE_ORDER

CENTRES = ["non-cardiac", "base", *["middle"] * 5, "apex"]
"""Seven labelled slices, of which the two rules name other ends."""
ENDS = ["non-cardiac", "base", "base", *["middle"] * 3, "apex", "apex"]


def scores(cases=("first",)):
    rows = [
        (1, case, approach, number, region, label, number / 10)
        for label in ("LVM", "LVBP")
        for approach in ("baseline", "other")
        for case in cases
        for number, region in reversed(list(enumerate(CENTRES)))
    ]
    table = pd.DataFrame(rows, columns=["run", "case", "approach", "slice", "region", "label", "dsc"])
    return table.assign(region=pd.Categorical(table["region"], TABLE_ORDER))


def test_every_row_of_a_slice_gets_the_region_of_the_other_rule():
    found = under_region_rule(scores(("first", "second")), RegionRule(rule="ends"))
    for _, stack in found.groupby(["case", "approach", "label"]):
        assert stack.sort_values("slice")["region"].tolist() == ENDS


def test_the_rule_of_before_changes_nothing():
    table = scores()
    pd.testing.assert_frame_equal(under_region_rule(table, RegionRule())[table.columns], table)


def test_scores_stay_with_their_slices():
    found = under_region_rule(scores(), RegionRule(rule="ends"))
    assert (found["dsc"] == found["slice"] / 10).all()


def test_every_rule_of_the_configuration_is_told():
    for rule in REGION_RULES:
        assert len(RegionRule(rule=rule).distances(7)) == 7
