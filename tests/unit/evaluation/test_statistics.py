"""The regional gap, the improvements over it, and false positives, against hand-checked numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmrslices.evaluation.statistics import count_false_positives, holm, improvements, paired, regional_gap, welch
from cmrslices.labels import LABELS, NON_CARDIAC, REGIONS
from cmrslices.runtime.errors import InputError


def scores(rows, cohorts=("nhs",), approaches=("baseline", "other")):
    """Scores with one row per (approach, region, slice, dsc) of the LVBP; each slice is a patient."""
    table = pd.DataFrame(rows, columns=["approach", "region", "slice", "dsc"])
    table = table.assign(cohort="nhs", label="LVBP", case="nhs_1_ED", patient=table["slice"].astype(str))
    table = table.assign(reference_mm2=100.0 * table["dsc"].notna(), predicted_mm2=0.0)
    orders = {"cohort": cohorts, "approach": approaches, "region": (*REGIONS, NON_CARDIAC), "label": LABELS}
    return table.assign(**{name: pd.Categorical(table[name], list(order)) for name, order in orders.items()})


def gap_row(table, region, label="LVBP"):
    return table[(table["region"] == region) & (table["label"] == label)].iloc[0]


BASE = [("baseline", "base", 0, 0.2), ("baseline", "base", 1, 0.4), ("baseline", "base", 2, 0.6)]
MIDDLE = [("baseline", "middle", k, dsc) for k, dsc in enumerate((0.80, 0.82, 0.84, 0.86), start=3)]


def test_mean_and_sd_are_in_percent_with_one_degree_of_freedom_less():
    row = gap_row(regional_gap(scores(BASE + MIDDLE), 0.01), "base")
    assert row[["slices", "patients"]].tolist() == [3, 3]
    assert row[["mean", "sd"]].tolist() == pytest.approx([40, 20])


def test_welch_p_follows_its_formula():
    # t = (40 - 83) / sqrt(400 / 3 + (20 / 3) / 4), degrees of freedom after Welch and Satterthwaite.
    parts = np.array([400 / 3, 20 / 3 / 4])
    t = (40 - 83) / np.sqrt(parts.sum())
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3)
    row = gap_row(regional_gap(scores(BASE + MIDDLE), 0.01), "base")
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(t), freedom))


@pytest.mark.parametrize(("significance", "expected"), [(0.01, False), (0.1, True)])
def test_significance_is_the_configured_level(significance, expected):
    assert gap_row(regional_gap(scores(BASE + MIDDLE), significance), "base")["significant"] == expected


def test_the_middle_is_not_tested_against_itself():
    row = gap_row(regional_gap(scores(BASE + MIDDLE), 0.01), "middle")
    assert np.isnan(row["p"])
    assert not row["significant"]


def test_slices_without_the_label_do_not_count():
    with_empty = [*BASE, ("baseline", "base", 9, np.nan)]
    assert gap_row(regional_gap(scores(with_empty + MIDDLE), 0.01), "base")["slices"] == 3


def test_a_region_without_slices_keeps_its_row():
    row = gap_row(regional_gap(scores(BASE + MIDDLE), 0.01), "apex", "RVBP")
    assert row["slices"] == 0
    assert row[["mean", "sd", "p"]].isna().all()


def test_cohorts_stand_in_configuration_order():
    table = regional_gap(scores(BASE + MIDDLE, cohorts=("zeta", "nhs")), 0.01)
    assert table["cohort"].unique().tolist() == ["zeta", "nhs"]
    assert len(table) == 2 * len(LABELS) * len(REGIONS)


@pytest.mark.parametrize("values", [([1.0], [1.0, 2.0]), ([], [1.0, 2.0]), ([3.0, 3.0], [1.0, 1.0])])
def test_welch_is_undefined_without_spread(values):
    assert np.isnan(welch(*map(pd.Series, values)))


@pytest.mark.parametrize("values", [([1.0], [2.0]), ([], []), ([1.0, 2.0], [1.0, 2.0])])
def test_the_paired_test_is_undefined_without_spread(values):
    assert np.isnan(paired(*map(pd.Series, values)))


def test_the_tests_agree_with_scipy():
    first, second = np.random.default_rng(1).random((2, 40))
    assert welch(first, second) == pytest.approx(stats.ttest_ind(first, second, equal_var=False).pvalue)
    assert paired(first, second) == pytest.approx(stats.ttest_rel(first, second).pvalue)


BETTER = [("other", "base", 0, 0.5), ("other", "base", 1, 0.6), ("other", "base", 2, 0.7)]
SAME = [("other", *row[1:]) for row in MIDDLE]


def change(table, region):
    return table[(table["region"] == region) & (table["label"] == "LVBP")].iloc[0]


def test_a_higher_mean_and_a_lower_sd_are_positive():
    row = change(improvements(scores(BASE + MIDDLE + BETTER + SAME), "baseline", ["other"], 0.01), "base")
    # differences 30, 20, 10; SD 20 against 10
    assert row[["slices", "mean_difference", "sd_difference"]].tolist() == pytest.approx([3, 20, 10])


def test_the_paired_p_follows_its_formula():
    row = change(improvements(scores(BASE + MIDDLE + BETTER + SAME), "baseline", ["other"], 0.01), "base")
    assert row["p"] == pytest.approx(2 * stats.t.sf(20 / (10 / np.sqrt(3)), 2))


def test_the_whole_heart_is_all_slices_together():
    row = change(improvements(scores(BASE + MIDDLE + BETTER + SAME), "baseline", ["other"], 0.01), "all")
    assert row[["slices", "mean_difference"]].tolist() == pytest.approx([7, 60 / 7])


def test_pairs_are_matched_by_slice_not_by_row():
    shuffled = improvements(scores(BASE + MIDDLE + BETTER[::-1] + SAME), "baseline", ["other"], 0.01)
    assert change(shuffled, "base")["p"] == pytest.approx(2 * stats.t.sf(20 / (10 / np.sqrt(3)), 2))


def test_the_baseline_is_not_compared_with_itself():
    table = improvements(scores(BASE + MIDDLE + BETTER + SAME), "baseline", ["other"], 0.01)
    assert table["approach"].unique().tolist() == ["other"]


def test_an_unchanged_region_has_no_p_and_is_not_best():
    row = change(improvements(scores(BASE + MIDDLE + BETTER + SAME), "baseline", ["other"], 0.01), "middle")
    assert row["mean_difference"] == 0
    assert np.isnan(row["p"])
    assert not row["best"]


def test_the_largest_improvement_is_the_best():
    third = [("third", region, k, dsc + 0.01) for _, region, k, dsc in BETTER + SAME]
    table = improvements(
        scores(BASE + MIDDLE + BETTER + SAME + third, approaches=("baseline", "other", "third")),
        "baseline",
        ["other", "third"],
        0.01,
    )
    assert table.loc[table["best"], "approach"].unique().tolist() == ["third"]


def test_an_upper_bound_is_never_the_best():
    bound = [("bound", region, k, dsc + 0.01) for _, region, k, dsc in BETTER + SAME]
    table = improvements(
        scores(BASE + MIDDLE + BETTER + SAME + bound, approaches=("baseline", "other", "bound")),
        "baseline",
        ["other"],
        0.01,
    )
    assert table.loc[table["best"], "approach"].unique().tolist() == ["other"]


def test_approaches_scored_on_other_slices_are_an_error():
    with pytest.raises(InputError, match="other and baseline differ in 1 slices"):
        improvements(scores(BASE + MIDDLE + BETTER + SAME[1:]), "baseline", ["other"], 0.01)


def test_false_positives_are_counted_among_the_slices_without_the_label():
    table = scores([("other", NON_CARDIAC, k, np.nan) for k in range(4)] + [("other", NON_CARDIAC, 4, 0.5)])
    table["predicted_mm2"] = [0.0, 10.0, 30.0, 0.0, 50.0]
    counts = count_false_positives(table)
    row = counts[(counts["approach"] == "other") & (counts["region"] == NON_CARDIAC) & (counts["label"] == "LVBP")]
    assert row[["slices", "false_positives", "rate", "mean_area_mm2"]].iloc[0].tolist() == [4, 2, 0.5, 20]


def test_no_slices_without_the_label_means_no_rate():
    counts = count_false_positives(scores(BASE))
    assert (counts["slices"] == 0).all()
    assert counts["rate"].isna().all()


# ---- Many tests ---------------------------------------------------------------


def holm_by_definition(p):
    """The smallest level at which Holm's procedure rejects each hypothesis."""
    order = np.argsort(p)
    corrected = np.empty(len(p))
    for rank, index in enumerate(order):
        corrected[index] = min(1, max(p[order[k]] * (len(p) - k) for k in range(rank + 1)))
    return corrected


def test_holms_correction_is_that_of_its_definition():
    p = np.random.default_rng(3).uniform(0, 0.2, 25)
    assert holm(pd.Series(p)).tolist() == pytest.approx(holm_by_definition(p).tolist())


def test_what_was_not_tested_is_not_of_the_family():
    assert holm(pd.Series([np.nan, 0.01, np.nan, 0.2])).tolist() == pytest.approx(
        [np.nan, 0.02, np.nan, 0.2], nan_ok=True
    )
