"""The worth of a flag: which slices are bad, the AUROC and its interval, and the table."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import roc_auc_score

from cmrslices.evaluation.jackknife import jackknife
from cmrslices.patients.flag_worth import ANY, auroc, measure_worth, slice_quality, write_worth
from cmrslices.patients.flags import FIXED_LIMITS, FLAGS, PLACE

LIMITS = {**dict.fromkeys(FLAGS, 0.5), **FIXED_LIMITS}


def counted(scores, bad):
    """AUROC by comparing every bad slice with every other one."""
    pairs = [(one, other) for one in scores[bad] for other in scores[~bad]]
    return sum((one > other) + 0.5 * (one == other) for one, other in pairs) / len(pairs)


@pytest.fixture
def slices():
    """Seven patients of 3 to 9 slices, with many equal scores."""
    rng = np.random.default_rng(5)
    patients = np.repeat([f"p{number}" for number in range(7)], range(3, 10))
    scores = rng.integers(0, 4, len(patients)).astype(float)
    bad = rng.random(len(patients)) < 0.2 + 0.15 * scores
    return scores, bad, patients


def test_auroc_is_the_share_of_pairs_in_which_the_bad_slice_has_the_larger_score(slices):
    scores, bad, patients = slices
    assert auroc(scores, bad, patients)[0].item() == pytest.approx(counted(scores, bad))
    assert auroc(scores, bad, patients)[0].item() == pytest.approx(roc_auc_score(bad, scores))


def test_without_a_patient_auroc_is_that_of_the_others(slices):
    scores, bad, patients = slices
    left_out = [counted(scores[patients != name], bad[patients != name]) for name in np.unique(patients)]
    assert auroc(scores, bad, patients)[1:].values == pytest.approx(left_out)


def test_an_infinite_score_is_the_largest():
    scores, bad = np.array([np.inf, 1.0, 2.0]), np.array([True, False, False])
    assert auroc(scores, bad, np.array(["a", "b", "c"]))[0].item() == 1


def test_auroc_is_undefined_without_bad_slices():
    assert np.isnan(auroc(np.array([1.0, 2.0]), np.array([False, False]), np.array(["a", "b"]))).all()


PIXELS = {"label": ["LVBP", "LVM", "RVBP"]}


def scores_of(rows, patient="1"):
    """Rows (slice, DSC and predicted area of LVBP, LVM and RVBP)."""
    parts = [pd.DataFrame({**PIXELS, "slice": number, "dsc": dsc, "predicted_mm2": area}) for number, dsc, area in rows]
    return pd.concat(parts).assign(cohort="acdc", patient=patient, case=f"acdc_{patient}_ED")


def test_the_dsc_of_a_slice_is_the_mean_over_the_labels_of_the_reference():
    quality = slice_quality(scores_of([(4, [0.9, 0.6, np.nan], [10, 10, 10])]))
    assert quality["dsc"].tolist() == pytest.approx([0.75])


def test_a_slice_with_invented_labels_only_counts_0_and_an_empty_one_does_not_count():
    nothing = [np.nan] * 3
    quality = slice_quality(scores_of([(0, nothing, [0, 0, 0]), (1, nothing, [0, 5, 0])]))
    assert quality[["slice", "dsc"]].values.tolist() == [[1, 0]]


def measured(gap, dsc, **columns):
    table = pd.DataFrame({"patient": [f"p{number}" for number in range(len(dsc))], "dsc": dsc})
    scores = {**dict.fromkeys(FLAGS, 0.0), "gap": gap, **columns}
    return measure_worth(table.assign(**scores), LIMITS).set_index("flag")


def test_raised_slices_are_counted_and_those_of_them_that_are_bad():
    worth = measured([1, 2, 0, 0, 0], [0.1, 0.9, 0.5, 0.9, 0.7])
    assert worth.loc["gap", ["slices", "bad", "raised", "raised_bad"]].tolist() == [5, 2, 2, 1]


def test_all_flags_together_score_the_number_of_raised_ones():
    worth = measured([1, 1, 0, 0, 0, 1], [0.1, 0.9, 0.9, 0.9, 0.9, 0.2], components=[1, 0, 0, 0, 0, 0.2])
    assert worth.loc[ANY, ["raised", "raised_bad"]].tolist() == [3, 2]
    assert worth.loc[ANY, "auroc"] == pytest.approx((4 + 3.5) / 8)


def test_a_flag_that_cannot_be_judged_has_no_row():
    assert "disagreement" not in measured([1, 0], [0.1, 0.9], disagreement=np.nan).index


def test_slices_in_which_a_flag_cannot_be_judged_do_not_count_for_it():
    worth = measured([1, 0, 0], [0.1, 0.9, 0.9], mass=[0.2, 0.1, np.nan])
    assert worth.loc["mass", "slices"] == 2


def test_the_interval_is_over_patients(slices):
    scores, bad, patients = slices
    table = pd.DataFrame({"patient": patients, "dsc": np.where(bad, 0.3, 0.9), **dict.fromkeys(FLAGS, 0.0)})
    worth = measure_worth(table.assign(components=scores), LIMITS).set_index("flag").loc["components"]
    low, high = jackknife(auroc(scores, bad, patients), xr.DataArray(7)).interval()
    assert (worth["auroc_low"], worth["auroc_high"]) == (max(low.item(), 0), min(high.item(), 1))
    assert 0 < worth["auroc_low"] < worth["auroc"] < worth["auroc_high"]


def test_fewer_than_five_patients_have_no_interval():
    worth = measured([1, 0, 1, 0], [0.1, 0.9, 0.2, 0.6])
    assert np.isnan(worth.loc["gap", "auroc_low"])
    assert worth.loc["gap", "auroc"] == pytest.approx(5 / 6)


@pytest.fixture
def written(tmp_path):
    """The table of two cohorts, in which a patient has the same name."""
    for cohort, dsc in {"acdc": 0.2, "mnms": 0.9}.items():
        rows = scores_of([(0, [dsc] * 3, [9] * 3), (1, [0.9] * 3, [9] * 3)]).assign(cohort=cohort, approach="a")
        rows = rows.assign(region="base", phase="ED", position=0.5, reference_mm2=9, case=f"{cohort}_1_ED")
        rows.to_csv(tmp_path / f"{cohort}.csv", index=False)
        place = pd.DataFrame({"patient": "1", "case": f"{cohort}_1_ED", "phase": "ED", "slice": [0, 1]})[PLACE]
        place.assign(**{**dict.fromkeys(FLAGS, 0.0), "gap": [2, 0]}).to_csv(tmp_path / f"{cohort}_qc.csv", index=False)
    write_worth(
        flag_scores=[tmp_path / f"{cohort}_qc.csv" for cohort in ("acdc", "mnms")],
        scores=[tmp_path / f"{cohort}.csv" for cohort in ("acdc", "mnms")],
        cohorts={"acdc": "ACDC", "mnms": "M&Ms"},
        approach="Ours",
        limits=LIMITS,
        table=[tmp_path / f"flags{ending}" for ending in (".csv", ".md", ".html")],
    )
    return tmp_path


def test_cohorts_stand_alone_and_together(written):
    table = pd.read_csv(written / "flags.csv")
    gap = table[table["flag"] == "gap"].set_index("cohort")
    assert gap["slices"].to_dict() == {"acdc": 2, "mnms": 2, "all": 4}
    assert gap["patients"].to_dict() == {"acdc": 1, "mnms": 1, "all": 2}
    assert gap["raised_bad"].to_dict() == {"acdc": 1, "mnms": 0, "all": 1}


def test_the_table_for_readers_says_how_many_raised_slices_are_bad(written):
    line = next(line for line in (written / "flags.md").read_text().splitlines() if "No label between" in line)
    assert [cell.strip() for cell in line.strip("|").split("|")][2:] == [
        "1.00",
        "2",
        "50.0 %",
        "1",
        "100.0 %",
        "100.0 %",
    ]
