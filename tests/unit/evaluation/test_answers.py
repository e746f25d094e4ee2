"""Answers with intervals over patients: known values, pairing, scoring rules, and what must not matter."""

import html

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from snakemake.utils import update_config

from cmrslices.commands.publication import default_configuration
from cmrslices.commands.runs import write_answers_of_runs
from cmrslices.evaluation.agreement import agreement, paper_cells
from cmrslices.evaluation.answer_files import design_of, with_right, with_subgroups
from cmrslices.evaluation.answer_tables import introduction, sections
from cmrslices.evaluation.answers import ANY_SCORING, EVERYONE, Design, answers, break_even
from cmrslices.evaluation.cells import ALL_LABELS, ANY_LABEL
from cmrslices.evaluation.statistics import WHOLE_HEART, holm, improvements, regional_gap
from cmrslices.evaluation.training_note import training_note
from cmrslices.labels import LABELS, REGIONS, TABLE_ORDER
from cmrslices.presentation.sections import sections_markdown, sections_page
from cmrslices.runtime.errors import InputError

SLICES = {"baseline": 100, "routed": 400, "bound": 400}
DESIGN = Design("baseline", ("routed", "bound"), {"routed": "bound"}, SLICES, {})
PATIENTS = [f"p{number:02d}" for number in range(10)]
AGAINST_BASELINE = "training, times the slices of the baseline"


def answer(table, margin=1.0, design=DESIGN):
    return answers(table, design, margin)


def scores(
    dsc,
    patients=PATIENTS,
    runs=(1,),
    slices=2,
    right=lambda patient, region: True,
    cohort="acdc",
    approaches=(DESIGN.baseline, *DESIGN.others),
):
    """Scores of a cohort; `dsc` gives the DSC of an approach, run, patient, region and label."""
    rows = [
        (run, cohort, approach, patient, f"{patient}_ED", 10 * r + k, region, label, right(patient, region))
        for run in runs
        for approach in approaches
        for patient in patients
        for r, region in enumerate(REGIONS)
        for k in range(slices)
        for label in LABELS
    ]
    columns = ["run", "cohort", "approach", "patient", "case", "slice", "region", "label", "right:routed"]
    table = pd.DataFrame(rows, columns=columns)
    place = table[["approach", "run", "patient", "region", "label"]].itertuples(index=False)
    orders = {
        "cohort": [cohort],
        "approach": list(approaches),
        "region": TABLE_ORDER,
        "label": list(LABELS),
    }
    table["dsc"] = [dsc(*row) for row in place]
    table["reference_mm2"] = table["dsc"].notna() * 100.0
    table["predicted_mm2"] = (table["dsc"] > 0) * 100.0
    return table.assign(**{name: pd.Categorical(table[name], order) for name, order in orders.items()})


def noisy(approach, run, patient, region, label):
    """A baseline that is worse at the ends, approaches that mend half of it, patients and runs that differ."""
    generator = np.random.default_rng([run, int(patient[1:]), REGIONS.index(region), len(approach)])
    mean = {"base": 0.7, "middle": 0.9, "apex": 0.6}[region] + 0.05 * (approach != "baseline")
    return mean + 0.01 * run + generator.normal(0, 0.02) + 0.001 * int(patient[1:])


def cell(table, question, region, approach="routed", label="LVM", scoring="carried"):
    rows = table[(table["question"] == question) & (table["approach"] == approach)]
    rows = rows[rows["scoring"].isin([scoring, ANY_SCORING]) & (rows["subgroup"] == EVERYONE)]
    (index,) = rows.index[(rows["region"] == region) & (rows["label"] == label)]
    return rows.loc[index]


# ---- Estimates --------------------------------------------------------------


def test_of_one_run_the_estimates_are_those_of_tables_1_and_3():
    data = scores(noisy)
    found = answer(data)
    gap = regional_gap(data[data["approach"] == "baseline"], 0.01).set_index(["label", "region"])["mean"]
    table3 = improvements(data, "baseline", ["routed"], 0.01)
    for end in ("base", "apex"):
        expected = gap["RVBP", "middle"] - gap["RVBP", end]
        assert cell(found, "gap", end, "baseline", "RVBP")["estimate"] == pytest.approx(expected)
    for row in table3[table3["approach"] == "routed"].itertuples():
        estimate = cell(found, "change", row.region, label=row.label)["estimate"]
        assert estimate == pytest.approx(row.mean_difference)


def test_all_labels_are_the_mean_over_the_labels():
    gains = {"LVBP": 0.0, "LVM": 0.01, "RVBP": 0.05}
    found = answer(scores(lambda a, s, p, r, label: 0.5 + gains[label] * (a == "routed")))
    assert cell(found, "change", "apex", label=ALL_LABELS)["estimate"] == pytest.approx(2)


def test_the_whole_heart_is_the_mean_over_its_slices():
    gains = {"base": 0.03, "middle": 0.0, "apex": 0.0}
    found = answer(scores(lambda a, s, p, region, label: 0.5 + gains[region] * (a == "routed")))
    assert cell(found, "change", WHOLE_HEART)["estimate"] == pytest.approx(1)


def spread(patient):
    """A difference between patients that is 0 on average."""
    return 0.01 * (PATIENTS.index(patient) - 4.5)


def test_the_share_is_the_change_in_percent_of_the_gap():
    values = {("baseline", "middle"): 0.9, ("baseline", "apex"): 0.5, ("routed", "apex"): 0.6, ("bound", "apex"): 0.8}
    found = answer(scores(lambda a, s, p, region, label: values.get((a, region), 0.9) + spread(p) * (region == "apex")))
    assert cell(found, "share", "apex")["estimate"] == pytest.approx(25)
    assert cell(found, "contrast", "apex", "bound")[["versus", "estimate"]].tolist() == ["routed", pytest.approx(20)]


def test_there_is_no_share_of_a_gap_that_may_be_none():
    sign = {patient: (-1) ** number for number, patient in enumerate(PATIENTS)}
    found = answer(scores(lambda a, s, p, region, label: 0.8 + 0.1 * sign[p] * (region == "apex")))
    assert cell(found, "gap", "apex", "baseline")["low"] < 0 < cell(found, "gap", "apex", "baseline")["high"]
    assert "share" not in set(found["question"])


def test_missed_are_the_slices_of_which_nothing_is_found():
    found = answer(scores(lambda a, s, p, r, label: 0.5 * (a == "routed" or p not in PATIENTS[:3])))
    assert cell(found, "missed", "apex", "baseline")["estimate"] == pytest.approx(30)
    assert cell(found, "missed", "apex", "baseline")["low"] >= 0
    assert cell(found, "missed", WHOLE_HEART)["estimate"] == 0
    assert np.isnan(cell(found, "missed", WHOLE_HEART)["high"])


def test_lowest_and_highest_run_are_the_estimates_of_single_seeds():
    found = answer(scores(lambda a, run, p, r, label: 0.5 + 0.01 * run * (a == "routed"), runs=(1, 2, 6)))
    row = cell(found, "change", "base")
    assert row[["estimate", "lowest_run", "highest_run", "runs"]].tolist() == pytest.approx([3, 1, 6, 3])


# ---- Primary comparisons ----------------------------------------------------

PRIMARY = DESIGN._replace(primary={"routed": "bound", "bound": "baseline"})


def test_a_primary_comparison_is_with_its_control_over_the_labels_in_the_heart_and_at_the_apex():
    gains = {"baseline": 0, "routed": 0.05, "bound": 0.02}
    data = scores(lambda a, s, p, r, label: 0.5 + spread(p) + gains[a] * (1 + spread(p)))
    found = answer(data, design=PRIMARY).query("question == 'primary' and scoring == 'carried'")
    assert found[["approach", "versus", "label", "region"]].values.tolist() == [
        [approach, versus, ALL_LABELS, region]
        for approach, versus in PRIMARY.primary.items()
        for region in (WHOLE_HEART, "apex")
    ]
    centre = np.mean([1 + spread(patient) for patient in PATIENTS])
    assert found["estimate"].tolist() == pytest.approx([3 * centre] * 2 + [2 * centre] * 2)


def test_primary_comparisons_are_a_family_of_their_own():
    """Both p are corrected over them: four comparisons, whatever else is asked."""
    for rule, found in answer(scores(noisy), design=PRIMARY).query("question == 'primary'").groupby("scoring"):
        assert found["p_holm"].tolist() == pytest.approx(holm(found["p"]).tolist()), rule
    alone = answer(scores(noisy), design=PRIMARY._replace(primary={"bound": "baseline"})).query("question == 'primary'")
    change = answer(scores(noisy)).query("question == 'change' and approach == 'bound' and label == 'all'")
    for rule, found in alone.groupby("scoring"):
        same = change[change["scoring"] == rule].set_index("region").loc[list(found["region"])]
        assert found["p"].tolist() == pytest.approx(same["p"].tolist())
        assert found["p_equivalent"].tolist() == pytest.approx(holm(same["p_equivalent"]).tolist())


def test_primary_comparisons_come_first_and_name_their_controls():
    first = shown(answer(scores(noisy), design=PRIMARY))[0]
    assert first.title == "Is a remedy better than a control of equal training?"
    assert first.cells["versus"].tolist() == ["bound", "Baseline"]


# ---- The classifier ---------------------------------------------------------


def routed_by_errors(missed):
    """Routed: 2 points more where the region is right, 8 fewer where it is missed. Bound: 2 more everywhere."""

    def dsc(approach, run, patient, region, label):
        wrong = patient in missed
        return 0.5 + {"baseline": 0, "routed": -0.08 if wrong else 0.02, "bound": 0.02}[approach]

    return answer(scores(dsc, right=lambda patient, region: patient not in missed, patients=PATIENTS[:10]))


def test_changes_are_told_apart_by_whether_the_region_is_right():
    found = routed_by_errors(PATIENTS[:3])
    expected = {"errors": 30, "right": 2, "wrong": -8, "right_bound": 2, "wrong_bound": 2, "change": -1}
    assert {name: cell(found, name, "apex")["estimate"] for name in expected} == pytest.approx(expected)


def test_break_even_does_not_depend_on_how_many_errors_were_made():
    few, many = (cell(routed_by_errors(PATIENTS[:count]), "break_even", "apex")["estimate"] for count in (1, 6))
    assert few == many == pytest.approx(20)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [(2.0, -8.0, 20), (2.0, 1.0, 100), (-1.0, -3.0, 0), (1.0, 2.0, np.nan), (1.0, np.nan, np.nan)],
    ids=["gain and loss", "no loss", "no gain", "wrong is better", "never wrong"],
)
def test_break_even_of_one_cell(right, wrong, expected):
    assert break_even(np.array(right), np.array(wrong)) == pytest.approx(expected, nan_ok=True)


def test_patients_are_those_with_slices_of_the_kind():
    found = routed_by_errors(PATIENTS[:3])
    assert [cell(found, name, "apex")["patients"] for name in ("change", "right", "wrong")] == [10, 7, 3]


# ---- Intervals --------------------------------------------------------------


def test_the_same_scores_give_the_same_answers():
    data = scores(noisy, runs=(1, 2))
    pd.testing.assert_frame_equal(answer(data), answer(data))


def test_names_of_patients_do_not_matter():
    data = scores(noisy, runs=(1, 2))
    others = {name: f"{(7 * number) % 10}-{name}" for number, name in enumerate(PATIENTS)}
    renamed = data.assign(patient=data["patient"].map(others), case=data["patient"].map(others) + "_ED")
    pd.testing.assert_frame_equal(answer(renamed), answer(data))


def test_patients_that_differ_alike_under_both_approaches_leave_no_doubt_about_the_difference():
    """What patients have in common under both approaches cancels; the interval is that of what is left."""
    left = {patient: 1e-4 * (-1) ** number for number, patient in enumerate(PATIENTS)}
    found = answer(scores(lambda a, s, p, r, label: 0.5 + 3 * spread(p) + (0.02 + left[p]) * (a == "routed")))
    assert cell(found, "change", "base")[["low", "high"]].tolist() == pytest.approx([2, 2], abs=0.01)


def test_without_any_difference_between_patients_there_is_no_interval():
    found = answer(scores(lambda a, s, p, r, label: 0.5 + spread(p) + 0.02 * (a == "routed")))
    row = cell(found, "change", "base")
    assert row["estimate"] == pytest.approx(2)
    assert row[["low", "high", "p", "p_equivalent"]].isna().all()


def test_a_patients_slices_stay_together():
    """Ten times the slices, all alike within a patient, say nothing more."""
    change = {patient: 0.01 * number for number, patient in enumerate(PATIENTS)}
    few, many = (
        answer(scores(lambda a, s, p, r, label: 0.5 + change[p] * (a == "routed"), slices=count)) for count in (1, 10)
    )
    bounds = ["estimate", "low", "high"]
    assert cell(many, "change", "apex")[bounds].tolist() == pytest.approx(cell(few, "change", "apex")[bounds].tolist())


def test_a_patient_in_several_runs_is_drawn_once_for_all():
    """The same patients in three runs are no more patients; other patients in each would be."""
    change = {f"p{number:02d}": 0.01 * (number % 10) for number in range(30)}

    def dsc(approach, run, patient, region, label):
        return 0.5 + change[patient] * (approach == "routed")

    one, three = (answer(scores(dsc, runs=runs)) for runs in ((1,), (1, 2, 3)))
    own = [scores(dsc, patients=[f"p{k:02d}" for k in range(10 * s, 10 * s + 10)], runs=(s,)) for s in range(3)]
    widths = [
        np.ptp(cell(table, "change", "apex")[["low", "high"]].astype(float))
        for table in (one, three, answer(pd.concat(own, ignore_index=True)))
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < 0.85 * widths[0]


def test_runs_do_not_widen_the_interval_and_are_told_beside_it():
    def dsc(step):
        return lambda a, run, p, r, label: 0.5 + (spread(p) + 0.02 + step * (run - 2)) * (a == "routed")

    alike, apart = (cell(answer(scores(dsc(step), runs=(1, 2, 3))), "change", "apex") for step in (0, 0.01))
    assert apart[["low", "high"]].tolist() == pytest.approx(alike[["low", "high"]].tolist())
    assert apart[["run_sd", "lowest_run", "highest_run"]].tolist() == pytest.approx([1, 1, 3])
    assert alike["run_sd"] == pytest.approx(0)


def test_a_run_without_such_slices_is_not_counted():
    data = scores(noisy, runs=(1, 2, 3))
    data = data[(data["run"] != 3) | (data["region"] != "apex")]
    assert [cell(answer(data), "change", region)["runs"] for region in ("base", "apex")] == [3, 2]


def test_when_only_patients_differ_the_interval_is_students_over_patients():
    change = {patient: number for number, patient in enumerate(PATIENTS)}
    found = answer(scores(lambda a, s, p, r, label: 0.5 + 0.01 * change[p] * (a == "routed")))
    half = stats.t.ppf(0.975, 9) * np.std(range(10), ddof=1) / np.sqrt(10)
    assert cell(found, "change", "apex")[["low", "high"]].tolist() == pytest.approx([4.5 - half, 4.5 + half])


@pytest.mark.parametrize(("count", "told"), [(1, False), (4, False), (5, True)])
def test_fewer_than_five_patients_have_no_interval_and_no_test(count, told):
    row = cell(answer(scores(noisy, patients=PATIENTS[:count], runs=(1, 2))), "change", "apex")
    assert row[["low", "high", "p", "p_holm", "p_equivalent"]].notna().all() == told
    assert not np.isnan(row["estimate"])


def test_an_answer_from_one_patient_of_many_has_no_interval():
    found = routed_by_errors(PATIENTS[:1])
    row = cell(found, "wrong", "apex")
    assert row[["estimate", "patients"]].tolist() == pytest.approx([-8, 1])
    assert row[["low", "high"]].isna().all()


def test_shares_of_slices_have_bounds_within_0_and_100():
    found = routed_by_errors(PATIENTS[:1])
    assert cell(found, "errors", "apex")["low"] == 0
    assert 10 < cell(found, "errors", "apex")["high"] < 100


def test_rounding_in_sums_is_no_difference():
    found = answer(scores(lambda a, s, p, r, label: {"baseline": 0.3, "routed": 0.1 + 0.2, "bound": 0.3}[a]))
    assert cell(found, "change", WHOLE_HEART)["estimate"] == 0
    assert np.isnan(cell(found, "change", WHOLE_HEART)["low"])


def test_approaches_on_other_slices_are_refused():
    data = scores(noisy)
    fewer = data[(data["approach"] != "bound") | (data["slice"] != 0)]
    with pytest.raises(InputError, match="bound and baseline are not scored on the same slices"):
        answer(fewer)


# ---- Tests -------------------------------------------------------------------


def test_p_is_students_where_each_patient_has_one_slice():
    change = {patient: 0.01 * (number**2 - 20) for number, patient in enumerate(PATIENTS)}
    found = answer(scores(lambda a, s, p, r, label: 0.5 + change[p] * (a == "routed"), slices=1))
    values = 100 * np.array(list(change.values()))
    assert cell(found, "change", "apex")["p"] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


@pytest.mark.parametrize("margin", [1.0, 5.0])
def test_nearness_is_the_two_one_sided_tests_against_the_margin(margin):
    change = {patient: 0.005 * (number - 4) for number, patient in enumerate(PATIENTS)}
    found = answer(scores(lambda a, s, p, r, label: 0.5 + change[p] * (a == "routed"), slices=1), margin)
    values = 100 * np.array(list(change.values()))
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    assert cell(found, "change", "apex")["p_equivalent"] == pytest.approx(max(below, above))


def test_p_is_corrected_over_the_answers_to_one_question():
    found = answer(scores(noisy))
    changes = found[(found["question"] == "change") & (found["scoring"] == "carried")].dropna(subset="p")
    smallest = changes["p"].min()
    assert changes["p_holm"].min() == pytest.approx(min(1, smallest * len(changes)))


# ---- Scoring rules ------------------------------------------------------------


def half_carried(invented):
    """At the base, patients p00 to p04 lack the label; the given approaches predict it there."""
    data = scores(lambda a, s, p, r, label: np.nan if r == "base" and p < "p05" else 0.8 + spread(p))
    there = data["dsc"].isna() & data["approach"].isin(invented)
    return data.assign(predicted_mm2=data["predicted_mm2"].mask(there, 50.0))


@pytest.mark.parametrize(("scoring", "mean"), [("carried", 82.5), ("union", 41.25), ("all", 41.25)])
def test_an_invented_label_counts_as_the_rule_says(scoring, mean):
    gap = cell(answer(half_carried(["baseline"])), "gap", "base", "baseline", scoring=scoring)
    assert gap["estimate"] == pytest.approx(80 - mean)


@pytest.mark.parametrize(("scoring", "change"), [("carried", 0.0), ("union", 41.25), ("all", 50.0)])
def test_under_union_each_approach_has_its_own_slices(scoring, change):
    """Routed leaves out rightly what the baseline invents: by the rule all, it scores 100 there."""
    found = answer(half_carried(["baseline"]))
    assert cell(found, "change", "base", scoring=scoring)["estimate"] == pytest.approx(change)


def test_invented_labels_are_counted_among_the_slices_that_lack_them():
    found = answer(half_carried(["routed"]))
    assert cell(found, "invented", "base")[["estimate", "patients"]].tolist() == [100, 5]
    assert cell(found, "invented", "base", "baseline")["estimate"] == 0
    assert cell(found, "invented_change", "base")["estimate"] == 100
    assert cell(found, "invented_mm2", "base")["estimate"] == 50


def test_any_label_is_missed_where_one_of_them_is():
    """LVBP is missed in patients 0 to 2, LVM in 2 to 4: any of them in five of ten."""
    missed = {"LVBP": PATIENTS[:3], "LVM": PATIENTS[2:5], "RVBP": []}
    found = answer(scores(lambda a, s, p, r, label: 0.9 * (p not in missed[label])))
    assert cell(found, "missed", "apex", label=ANY_LABEL)["estimate"] == pytest.approx(50)
    assert cell(found, "missed", "apex", label=ALL_LABELS)["estimate"] == pytest.approx(20)


# ---- Groups of patients --------------------------------------------------------


def test_gaps_and_changes_are_told_by_group_where_there_are_several():
    ill = dict.fromkeys(PATIENTS[:5], "DCM") | dict.fromkeys(PATIENTS[5:], "")
    data = scores(lambda a, s, p, r, label: 0.5 + 0.01 * (p < "p05") * (a == "routed"))
    cases = pd.DataFrame({"case": [f"{p}_ED" for p in PATIENTS], "group": list(ill.values()), "vendor": "one"})
    found = answer(with_subgroups(data, cases))
    rows = found[(found["question"] == "change") & (found["label"] == "LVM") & (found["region"] == "apex")]
    told = rows[(rows["scoring"] == "carried") & (rows["approach"] == "routed")]
    assert told.set_index("subgroup")["estimate"].round(6).to_dict() == {EVERYONE: 0.5, "group DCM": 1.0}


# ---- Beside the paper -------------------------------------------------------

PAPER = pd.DataFrame(
    [("LVBP", 2.0, True), ("LVM", 2.0, True), ("RVBP", 2.0, False)], columns=["label", "paper", "paper_significant"]
).assign(question="change", cohort="acdc", approach="routed", region="base")


ASKED = {"scoring": "carried", "subgroup": EVERYONE}


@pytest.mark.parametrize(
    ("low", "high", "verdicts"),
    [
        (0.5, 3.0, ["same sign", "same sign", "only ours"]),
        (-3.0, -0.5, ["opposite sign", "opposite sign", "only ours"]),
        (-1.0, 1.0, ["only the paper", "only the paper", "neither"]),
        (np.nan, np.nan, ["no interval"] * 3),
    ],
)
def test_verdict_of_a_cell(low, high, verdicts):
    found = PAPER[["question", "cohort", "approach", "label", "region"]].assign(
        estimate=np.nanmean([low, high, np.sign(np.nan_to_num(low))]), low=low, high=high
    )
    assert agreement(found.assign(**ASKED), PAPER, "carried")["verdict"].tolist() == verdicts


def test_a_cell_that_only_one_has_is_left_out():
    found = PAPER.rename(columns={"paper": "estimate"}).assign(low=1.0, high=3.0).query("label != 'LVM'")
    table = agreement(found.assign(**ASKED), PAPER, "carried")
    assert table["label"].tolist() == ["LVBP", "RVBP"]
    assert table["paper_inside"].all()


def test_the_papers_gap_is_its_middle_minus_its_end():
    table1 = pd.DataFrame(
        [
            ("acdc", "LVM", "base", 80.0, True),
            ("acdc", "LVM", "middle", 87.5, False),
            ("acdc", "LVM", "apex", 90.0, False),
        ],
        columns=["cohort", "label", "region", "mean", "significant"],
    )
    table3 = pd.DataFrame(columns=["cohort", "approach", "label", "region", "mean_difference", "significant"])
    gap = paper_cells(table1, table3, "plain")
    assert gap[["question", "approach", "region", "paper", "paper_significant"]].to_numpy().tolist() == [
        ["gap", "plain", "base", 7.5, True],
        ["gap", "plain", "apex", -2.5, False],
    ]


# ---- Laid out ----------------------------------------------------------------


def test_the_introduction_says_what_the_intervals_are_about():
    one, two = (
        introduction(answer(scores(noisy, runs=runs)), {"acdc": "ACDC"}, "union", 2.5) for runs in ((1,), (1, 2))
    )
    assert "With one run, nothing is known about how much another training would change" in one
    assert "the lowest and the highest of 2 runs" in two
    assert "within 2.5 points" in one
    assert "Scoring rule: union" in one
    assert one.endswith("ACDC n = 10 patients.")


def shown(found, controls=None):
    return sections(found, {"acdc": "ACDC"}, {"baseline": "Baseline"}, controls or {}, "carried")


def test_what_holds_after_correction_is_bold_and_rates_never_are():
    better = scores(lambda a, s, p, r, label: 0.5 + spread(p) + (0.1 + spread(p) / 10) * (a == "routed"))
    parts = {part.title: part for part in shown(answer(better))}
    change = parts["What does an approach change?"]
    assert change.bold[change.cells["approach"] == "routed"].all(axis=None)
    assert not change.bold[change.cells["approach"] == "bound"].any(axis=None)
    assert not parts["How often is a label missed altogether?"].bold.any(axis=None)
    assert not parts["How good must the classifier be?"].bold[["errors (%)"]].any(axis=None)


def test_nearness_is_marked_where_it_is_shown():
    near = scores(lambda a, s, p, r, label: 0.5 + spread(p) / 10 * (a == "routed"))
    change = {part.title: part for part in shown(answer(near))}["What does an approach change?"]
    routed = change.cells["approach"] == "routed"
    assert change.cells.loc[routed, "apex"].str.endswith("≈").all()
    assert not change.bold[routed].any(axis=None)


def test_the_range_of_several_runs_stands_behind_each_answer():
    change = shown(answer(scores(noisy, runs=(1, 2))))[1]
    assert change.cells["apex"].str.contains(r"\] .*\(\S+ to \S+\)$").any()


def test_what_several_trainings_say_stands_in_the_last_table():
    """The runs disagree about the sign of the change; every patient of each run agrees with its run."""

    def dsc(approach, run, patient, region, label):
        return 0.5 + spread(patient) + (0.02 * (run - 2) + 0.01 + spread(patient) / 10) * (approach == "routed")

    parts = shown(answer(scores(dsc, runs=(1, 2, 3))))
    last = parts[-1]
    assert last.title == "Would other trainings say the same?"
    routed = last.cells["approach"] == "routed"
    assert last.cells.loc[routed, "carried"].str.match(r"1\.\d+ \[-\d.*, \d.*\]").all()
    assert not last.bold[routed].any(axis=None)
    change = {part.title: part for part in parts}["What does an approach change?"]
    assert change.bold[change.cells["approach"] == "routed"].all(axis=None)


def test_two_runs_are_too_few_for_an_interval_over_runs():
    assert "Would other trainings say the same?" not in [
        part.title for part in shown(answer(scores(noisy, runs=(1, 2))))
    ]


def test_without_other_approaches_only_the_baseline_is_asked_about():
    data = scores(noisy)
    alone = data[data["approach"] == "baseline"]
    found = answer(alone, design=Design("baseline", (), {}, {"baseline": 100}, {}))
    titles = [part.title for part in sections(found, {}, {}, {}, "carried")]
    assert titles == [
        "Is there a gap?",
        "How often is a label missed altogether?",
        "Does it hold under every scoring rule?",
    ]


def test_places_without_an_answer_are_left_out():
    """There is a gap at the apex of one label, so there is a share of that one."""
    worse = {("apex", "LVM"): 0.4}
    found = answer(scores(lambda a, s, p, region, label: 0.9 + spread(p) - worse.get((region, label), spread(p))))
    (share,) = [part for part in sections(found, {}, {}, {}, "carried") if part.title == "How much of the gap is that?"]
    assert share.cells.columns.tolist() == ["cohort", "approach", AGAINST_BASELINE, "label", "apex"]
    assert set(share.cells["label"]) == {"LVM", "all (mean)"}


def test_a_slice_is_right_where_the_classifier_names_its_region():
    table = pd.DataFrame({"case": "c", "slice": [0, 1], "region": pd.Categorical(["base", "apex"], REGIONS)})
    classified = pd.DataFrame({"case": "c", "slice": [0, 1], "region": ["base", "base"]})
    assert with_right(table, {"routed": classified})["right:routed"].tolist() == [True, False]


def test_each_classified_approach_is_asked_about_by_its_own_regions():
    """The second one reads the regions without an error, the first one misses those of three patients."""
    data = scores(lambda approach, *_: 0.5 + 0.02 * (approach == "bound"), right=lambda patient, _: patient > "p02")
    both = Design("baseline", ("routed", "bound"), {"routed": None, "bound": None}, SLICES, {})
    found = answer(data.assign(**{"right:bound": True}), design=both)
    errors = found[(found["question"] == "errors") & (found["label"] == "LVM") & (found["region"] == "base")]
    assert errors.set_index("approach")["estimate"].to_dict() == {"routed": 30, "bound": 0}
    judged = found[found["approach"] == "bound"]["question"]
    assert "right" in set(judged)
    assert "wrong" not in set(judged)


# ---- Bounds ------------------------------------------------------------------


def test_the_bound_of_an_approach_is_the_one_that_the_design_names():
    """The first reference-routed approach is not the bound of all; each has that of its own models."""
    changes = {"baseline": 0, "routed": 0.01, "bound": 0.02, "other": 0.05}
    data = scores(lambda approach, *_: 0.5 + changes[approach], approaches=changes)
    design = Design("baseline", ("routed", "bound", "other"), {"routed": "other"}, dict.fromkeys(changes, 100), {})
    assert cell(answer(data, design=design), "right_bound", "apex")["estimate"] == pytest.approx(5)


def test_without_a_bound_the_table_has_none_and_says_so():
    design = Design("baseline", ("routed", "bound"), {"routed": None}, SLICES, {})
    found = answer(scores(noisy), design=design)
    assert "right_bound" not in set(found["question"])
    table = part_of(shown(found), "How good must the classifier be?")
    assert "bound, right" not in table.cells
    assert table.note.startswith("Without an upper bound")
    assert table.note.endswith("by the reference: routed.")


def test_with_a_bound_nothing_is_said_about_it():
    assert part_of(shown(answer(scores(noisy))), "How good must the classifier be?").note == ""


def test_a_baseline_is_no_bound():
    assert design_of("perfect", {"routed": "perfect"}, {"perfect": 1, "routed": 1}, {}).bounds == {"routed": None}


def test_a_baseline_that_reads_the_classifiers_is_not_compared_with_itself():
    assert design_of("routed", {"routed": "perfect"}, {"perfect": 1, "routed": 1}, {}).bounds == {}


# ---- Training ----------------------------------------------------------------


def part_of(parts, title):
    (part,) = [part for part in parts if part.title == title]
    return part


def test_every_difference_says_how_much_longer_the_approach_was_trained():
    found = answer(scores(noisy))
    ratios = found.groupby("question")["training_ratio"].unique().map(list)
    assert ratios["change"] == ratios["right"] == ratios["right_bound"] == [4]
    assert ratios["contrast"] == [1]
    assert found.loc[found["versus"] == "", "training_ratio"].isna().all()


@pytest.mark.parametrize(
    ("slices", "compared"),
    [(400, True), (390, True), (100, False), (None, True)],
    ids=["equal", "nearly equal", "shorter", "not known"],
)
def test_two_approaches_are_compared_with_each_other_after_equal_training(slices, compared):
    design = DESIGN._replace(slices=SLICES | {"bound": slices})
    assert ("contrast" in set(answer(scores(noisy), design=design)["question"])) == compared


def test_the_training_stands_beside_each_change_and_contrast():
    parts = shown(answer(scores(noisy)))
    assert set(part_of(parts, "What does an approach change?").cells[AGAINST_BASELINE]) == {"4.00"}
    contrast = part_of(parts, "How do the approaches compare with each other?")
    assert set(contrast.cells["training, times the slices of versus"]) == {"1.00"}
    assert set(contrast.cells["versus"]) == {"routed"}
    assert not any("training" in name for name in part_of(parts, "Is there a gap?").cells)


def test_a_longer_training_is_told_below_the_changes_with_its_matched_control():
    found = answer(scores(noisy))
    note = part_of(shown(found, {"routed": "bound", "bound": "bound"}), "What does an approach change?").note
    assert '4.00 times as many, matched control "bound": routed.' in note
    assert "4.00 times as many, a control itself: bound." in note
    assert note in sections_markdown("", shown(found, {"routed": "bound", "bound": "bound"}))
    assert note in html.unescape(sections_page("", "", shown(found, {"routed": "bound", "bound": "bound"})))


def test_a_longer_training_without_a_control_is_told_as_such():
    note = training_note({"routed": 4.0, "far": 4.0, "plain": 1.0}, {"routed": None, "far": None}, {"far": "Far"})
    assert "4.00 times as many, without a matched control: routed; Far." in note
    assert "plain" not in note


def test_equal_trainings_need_no_word():
    assert training_note({"plain": 1.0}, {}, {}) == ""


# ---- Published runs ---------------------------------------------------------


def published(folder, changes):
    """Configurations of published runs; nothing else is read before they are found to agree."""
    for number, change in enumerate(changes):
        config = default_configuration()
        update_config(config, change)
        (folder / f"seed{number}").mkdir()
        (folder / f"seed{number}/config.yaml").write_text(yaml.safe_dump(config))


def fold(number, seed=1):
    return {"seed": seed, "splits": {"train": 0.7, "validation": 0.1, "test": 0.2, "fold": number}}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([], r"holds no folder seed\* or fold\*"),
        ([{"seed": 1}, {"seed": 2, "segmentation": {"epochs": 7}}], "seed1: its config.yaml differs from .*seed0"),
        ([{"seed": 1}, {"seed": 2}, {"seed": 1}], "seed2: has the seed and the fold of .*seed0"),
        ([fold(1), fold(2), fold(1)], "seed2: has the seed and the fold of .*seed0"),
        ([fold(1), {"seed": 2}], "seed1: its config.yaml differs from .*seed0"),
    ],
    ids=["none", "other settings", "the same twice", "the same fold twice", "a fold and a draw"],
)
def test_runs_that_do_not_belong_together_are_refused(tmp_path, changes, fault):
    published(tmp_path, changes)
    with pytest.raises(InputError, match=fault):
        write_answers_of_runs(tmp_path, tmp_path)
