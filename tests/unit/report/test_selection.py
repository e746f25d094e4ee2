"""Which slices the report shows."""

import numpy as np
import pandas as pd

from cmrslices.report.pictures import beside_approaches
from cmrslices.report.selection import label_scores, median_slices, slice_means, worst_cases


def scores(*rows, approach="baseline"):
    """Rows of (case, slice, region, label, dsc)."""
    table = pd.DataFrame(rows, columns=["case", "slice", "region", "label", "dsc"])
    return table.assign(approach=approach)


def one_label(*rows):
    return scores(*((case, number, region, "LVM", dsc) for case, number, region, dsc in rows))


def test_a_slices_mean_leaves_out_labels_that_the_reference_lacks():
    table = scores(("a", 0, "base", "LVBP", 0.8), ("a", 0, "base", "LVM", 0.4), ("a", 0, "base", "RVBP", np.nan))
    assert slice_means(table)["dsc"].round(6).tolist() == [0.6]


def test_the_example_of_a_region_is_its_median_slice():
    table = one_label(("a", 0, "base", 0.1), ("b", 0, "base", 0.7), ("c", 1, "base", 0.9))
    chosen = median_slices(table).iloc[0]
    assert (chosen["case"], chosen["slice"], chosen["slices"]) == ("b", 0, 3)


def test_of_two_median_slices_the_lower_one_is_shown():
    assert median_slices(one_label(("a", 0, "apex", 0.9), ("b", 0, "apex", 0.2)))["case"].tolist() == ["b"]


def test_examples_run_from_base_to_apex_and_leave_out_a_region_without_slices():
    table = one_label(("a", 9, "apex", 0.5), ("a", 0, "base", 0.5), ("a", 10, "non-cardiac", np.nan))
    assert median_slices(table)["region"].tolist() == ["base", "apex"]


def test_the_choice_does_not_depend_on_the_order_of_the_scores():
    table = one_label(*((case, 0, "base", 0.5) for case in "abcd"))
    assert median_slices(table)["case"].tolist() == median_slices(table[::-1])["case"].tolist() == ["b"]


def test_the_worst_cases_have_the_lowest_mean_in_the_region():
    table = one_label(("a", 0, "base", 0.0), ("a", 1, "base", 1.0), ("b", 0, "base", 0.3), ("c", 0, "base", 0.9))
    worst = worst_cases(table, 2)
    assert worst[["rank", "case", "slices"]].to_numpy().tolist() == [[1, "b", 1], [2, "a", 2]]


def test_a_worst_case_names_its_worst_slice():
    row = worst_cases(one_label(("a", 4, "middle", 0.8), ("a", 5, "middle", 0.2)), 1).iloc[0]
    assert (row["slice"], row["slice_dsc"]) == (5, 0.2)


def test_every_approach_is_judged_on_the_worst_cases_own_region():
    baseline = one_label(("a", 0, "base", 0.2), ("a", 1, "middle", 0.9))
    other = baseline.assign(approach="other", dsc=[0.5, 1.0])
    table = beside_approaches(worst_cases(baseline, 1), pd.concat([baseline, other]))
    assert table[["region", "baseline", "other"]].to_numpy().tolist() == [["base", 20, 50], ["middle", 90, 100]]


def test_label_scores_are_those_of_the_slice():
    table = scores(("a", 0, "base", "LVM", 0.4), ("a", 1, "base", "LVM", 0.5), ("b", 0, "base", "LVM", 0.6))
    assert label_scores(table, "a", 1) == {"baseline": {"LVM": 0.5}}
