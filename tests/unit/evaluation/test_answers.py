"""Answers with intervals over patients and seeds: known values, coverage, pairing, and what must not matter."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from scipy import stats
from snakemake.utils import update_config

from cmrslices.commands.publication import default_configuration
from cmrslices.commands.seeds import write_answers_of_seeds
from cmrslices.evaluation.agreement import agreement, paper_cells
from cmrslices.evaluation.answer_files import with_right
from cmrslices.evaluation.answer_tables import introduction, sections
from cmrslices.evaluation.answers import Design, answers, break_even
from cmrslices.evaluation.cells import ALL_LABELS, means
from cmrslices.evaluation.intervals import bootstrap_weights, interval
from cmrslices.evaluation.statistics import WHOLE_HEART, improvements, regional_gap
from cmrslices.labels import LABELS, REGIONS
from cmrslices.runtime.errors import InputError

DESIGN = Design("baseline", ("routed", "bound"), "bound", ("routed",))
PATIENTS = [f"p{number:02d}" for number in range(10)]


def scores(dsc, patients=PATIENTS, seeds=(1,), slices=2, right=lambda patient, region: True, cohort="acdc"):
    """Scores of a cohort; `dsc` gives the DSC of an approach, seed, patient, region and label."""
    rows = [
        (seed, cohort, approach, patient, f"{patient}_ED", 10 * r + k, region, label, right(patient, region))
        for seed in seeds
        for approach in (DESIGN.baseline, *DESIGN.others)
        for patient in patients
        for r, region in enumerate(REGIONS)
        for k in range(slices)
        for label in LABELS
    ]
    columns = ["seed", "cohort", "approach", "patient", "case", "slice", "region", "label", "right"]
    table = pd.DataFrame(rows, columns=columns)
    place = table[["approach", "seed", "patient", "region", "label"]].itertuples(index=False)
    orders = {
        "cohort": [cohort],
        "approach": [DESIGN.baseline, *DESIGN.others],
        "region": REGIONS,
        "label": list(LABELS),
    }
    table["dsc"] = [dsc(*row) for row in place]
    return table.assign(**{name: pd.Categorical(table[name], order) for name, order in orders.items()})


def noisy(approach, seed, patient, region, label):
    """A baseline that is worse at the ends, approaches that mend half of it, patients and seeds that differ."""
    generator = np.random.default_rng([seed, int(patient[1:]), REGIONS.index(region), len(approach)])
    mean = {"base": 0.7, "middle": 0.9, "apex": 0.6}[region] + 0.05 * (approach != "baseline")
    return mean + 0.01 * seed + generator.normal(0, 0.02) + 0.001 * int(patient[1:])


def cell(table, question, region, approach="routed", label="LVM"):
    rows = table[(table["question"] == question) & (table["approach"] == approach)]
    (index,) = rows.index[(rows["region"] == region) & (rows["label"] == label)]
    return rows.loc[index]


# ---- Estimates --------------------------------------------------------------


def test_of_one_seed_the_estimates_are_those_of_tables_1_and_3():
    data = scores(noisy)
    found = answers(data, DESIGN)
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
    found = answers(scores(lambda a, s, p, r, label: 0.5 + gains[label] * (a == "routed")), DESIGN)
    assert cell(found, "change", "apex", label=ALL_LABELS)["estimate"] == pytest.approx(2)


def test_the_whole_heart_is_the_mean_over_its_slices():
    gains = {"base": 0.03, "middle": 0.0, "apex": 0.0}
    found = answers(scores(lambda a, s, p, region, label: 0.5 + gains[region] * (a == "routed")), DESIGN)
    assert cell(found, "change", WHOLE_HEART)["estimate"] == pytest.approx(1)


def test_the_share_is_the_change_in_percent_of_the_gap():
    values = {("baseline", "middle"): 0.9, ("baseline", "apex"): 0.5, ("routed", "apex"): 0.6, ("bound", "apex"): 0.8}
    found = answers(scores(lambda a, s, p, region, label: values.get((a, region), 0.9)), DESIGN)
    assert cell(found, "share", "apex")["estimate"] == pytest.approx(25)
    assert cell(found, "left", "apex")["estimate"] == pytest.approx(20)


def test_there_is_no_share_of_a_gap_that_may_be_none():
    sign = {patient: (-1) ** number for number, patient in enumerate(PATIENTS)}
    found = answers(scores(lambda a, s, p, region, label: 0.8 + 0.1 * sign[p] * (region == "apex")), DESIGN)
    assert cell(found, "gap", "apex", "baseline")["low"] < 0 < cell(found, "gap", "apex", "baseline")["high"]
    assert np.isnan(cell(found, "share", "apex")["estimate"])


def test_missed_are_the_slices_of_which_nothing_is_found():
    found = answers(scores(lambda a, s, p, r, label: 0.5 * (a == "routed" or p not in PATIENTS[:3])), DESIGN)
    assert cell(found, "missed", "apex", "baseline")["estimate"] == pytest.approx(30)
    assert cell(found, "missed", "apex", "baseline")["low"] >= 0
    assert cell(found, "missed", WHOLE_HEART)["estimate"] == 0
    assert np.isnan(cell(found, "missed", WHOLE_HEART)["high"])


def test_lowest_and_highest_seed_are_the_estimates_of_single_seeds():
    found = answers(scores(lambda a, seed, p, r, label: 0.5 + 0.01 * seed * (a == "routed"), seeds=(1, 2, 6)), DESIGN)
    row = cell(found, "change", "base")
    assert row[["estimate", "lowest_seed", "highest_seed", "seeds"]].tolist() == pytest.approx([3, 1, 6, 3])


# ---- The classifier ---------------------------------------------------------


def routed_by_errors(missed):
    """Routed: 2 points more where the region is right, 8 fewer where it is missed. Bound: 2 more everywhere."""

    def dsc(approach, seed, patient, region, label):
        wrong = patient in missed
        return 0.5 + {"baseline": 0, "routed": -0.08 if wrong else 0.02, "bound": 0.02}[approach]

    return answers(scores(dsc, right=lambda patient, region: patient not in missed, patients=PATIENTS[:10]), DESIGN)


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
    data = scores(noisy, seeds=(1, 2))
    pd.testing.assert_frame_equal(answers(data, DESIGN), answers(data, DESIGN))


def test_names_of_patients_do_not_matter():
    data = scores(noisy, seeds=(1, 2))
    others = {name: f"{(7 * number) % 10}-{name}" for number, name in enumerate(PATIENTS)}
    renamed = data.assign(patient=data["patient"].map(others), case=data["patient"].map(others) + "_ED")
    pd.testing.assert_frame_equal(answers(renamed, DESIGN), answers(data, DESIGN))


def test_patients_that_differ_alike_under_both_approaches_leave_no_doubt_about_the_difference():
    spread = {patient: 0.03 * number for number, patient in enumerate(PATIENTS)}
    found = answers(scores(lambda a, s, p, r, label: 0.5 + spread[p] + 0.02 * (a == "routed")), DESIGN)
    assert cell(found, "change", "base")[["low", "high"]].tolist() == pytest.approx([2, 2])


def test_a_patients_slices_stay_together():
    """Ten times the slices, all alike within a patient, say nothing more."""
    change = {patient: 0.01 * number for number, patient in enumerate(PATIENTS)}
    few, many = (
        answers(scores(lambda a, s, p, r, label: 0.5 + change[p] * (a == "routed"), slices=count), DESIGN)
        for count in (1, 10)
    )
    bounds = ["estimate", "low", "high"]
    assert cell(many, "change", "apex")[bounds].tolist() == pytest.approx(cell(few, "change", "apex")[bounds].tolist())


def test_a_patient_in_several_seeds_is_drawn_once_for_all():
    """The same patients in three seeds are no more patients; other patients in each would be."""
    change = {f"p{number:02d}": 0.01 * (number % 10) for number in range(30)}

    def dsc(approach, seed, patient, region, label):
        return 0.5 + change[patient] * (approach == "routed")

    one, three = (answers(scores(dsc, seeds=seeds), DESIGN) for seeds in ((1,), (1, 2, 3)))
    own = [scores(dsc, patients=[f"p{k:02d}" for k in range(10 * s, 10 * s + 10)], seeds=(s,)) for s in range(3)]
    widths = [
        np.ptp(cell(table, "change", "apex")[["low", "high"]].astype(float))
        for table in (one, three, answers(pd.concat(own, ignore_index=True), DESIGN))
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < 0.85 * widths[0]


def test_when_only_seeds_differ_the_interval_is_students_over_seeds():
    def dsc(approach, seed, patient, region, label):
        return 0.5 + 0.02 * seed * (approach == "routed")

    row = cell(answers(scores(dsc, seeds=(1, 2, 3)), DESIGN), "change", "apex")
    half = stats.t.ppf(0.975, 2) * np.std([2, 4, 6], ddof=1) / np.sqrt(3)
    assert row[["low", "high"]].tolist() == pytest.approx([4 - half, 4 + half])


def test_when_only_patients_differ_the_interval_is_students_over_patients():
    change = {patient: number for number, patient in enumerate(PATIENTS)}
    found = answers(scores(lambda a, s, p, r, label: 0.5 + 0.01 * change[p] * (a == "routed")), DESIGN, draws=20000)
    half = stats.t.ppf(0.975, 9) * np.std(range(10), ddof=1) / np.sqrt(10)
    assert cell(found, "change", "apex")[["low", "high"]].tolist() == pytest.approx([4.5 - half, 4.5 + half], rel=0.02)


def test_a_single_patient_has_no_interval():
    row = cell(answers(scores(noisy, patients=PATIENTS[:1], seeds=(1, 2)), DESIGN), "change", "apex")
    assert row[["low", "high"]].isna().all()
    assert not np.isnan(row["estimate"])


def test_an_answer_from_one_patient_of_many_has_no_interval():
    found = routed_by_errors(PATIENTS[:1])
    row = cell(found, "wrong", "apex")
    assert row[["estimate", "patients"]].tolist() == pytest.approx([-8, 1])
    assert row[["low", "high"]].isna().all()


def test_shares_of_slices_have_bounds_within_0_and_100():
    found = routed_by_errors(PATIENTS[:1])
    assert cell(found, "errors", "apex")["low"] == 0
    assert cell(found, "errors", "apex")["high"] < 100


def test_rounding_in_sums_is_no_difference():
    found = answers(scores(lambda a, s, p, r, label: {"baseline": 0.3, "routed": 0.1 + 0.2, "bound": 0.3}[a]), DESIGN)
    assert (cell(found, "change", WHOLE_HEART)[["estimate", "low", "high"]] == 0).all()


def test_approaches_on_other_slices_are_refused():
    data = scores(noisy)
    fewer = data[(data["approach"] != "bound") | (data["slice"] != 0)]
    with pytest.raises(InputError, match="bound and baseline are not scored on the same slices"):
        answers(fewer, DESIGN)


def simulated(generator, patients, seeds, own, seed_sd):
    """One change of 1 point: patients, seeds and their interaction vary, each patient has 1 to 3 slices.

    Slices, and their sum of DSC, by patient and seed.
    """
    count = patients * seeds if own else patients
    slices = generator.integers(1, 4, count)
    effect = 1 + generator.normal(0, 2, count)[:, None] + generator.normal(0, seed_sd, seeds)
    effect = effect + generator.normal(0, 1, effect.shape)
    tested = np.kron(np.eye(seeds), np.ones((patients, 1))) if own else np.ones((patients, seeds))
    counts = tested * slices[:, None]
    return counts, counts * effect


def cells_of(studies):
    """Cells of many simulated studies, along an axis of their own; the baseline's DSC is 0."""
    axes = ("study", "patient", "seed")
    counts, sums = (xr.DataArray(np.stack(part), dims=axes) for part in zip(*studies, strict=True))
    dsc = xr.concat([xr.zeros_like(sums), sums], "approach").assign_coords(approach=["baseline", "other"])
    cells = xr.Dataset({"dsc": dsc, "missed": xr.zeros_like(dsc), "slices": counts})
    cells = cells.assign_coords(seed=range(counts.sizes["seed"]))
    cells = cells.expand_dims({"classifier": ["right"], "label": ["LVM"], "region": ["apex"]})
    return cells.reindex(classifier=["wrong", "right"], fill_value=0.0)


@pytest.mark.parametrize(
    ("seeds", "own", "seed_sd"),
    [(1, False, 0), (3, False, 0.3), (3, False, 2), (3, True, 0.3), (3, True, 2)],
    ids=[
        "one seed",
        "shared patients, seeds hardly matter",
        "shared patients, seeds matter",
        "own patients, seeds hardly matter",
        "own patients, seeds matter",
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(seeds, own, seed_sd):
    """Slices taken as independent would hold it in at most 78 % of the cases."""
    generator = np.random.default_rng(5)
    weights = bootstrap_weights(20 * seeds if own else 20, 400)
    studies = [simulated(generator, 20, seeds, own, seed_sd) for _ in range(400)]
    dsc = means(cells_of(studies), weights)["dsc"].sel(classifier="either", label="LVM", region="apex", drop=True)
    change = dsc.sel(approach="other", drop=True) - dsc.sel(approach="baseline", drop=True)
    low, high = interval(change, xr.DataArray(weights.sizes["patient"]))
    held = (low <= 1) & (high >= 1)
    assert held.sizes == {"study": 400}
    assert 0.9 <= np.mean(held) <= 0.98


# ---- Beside the paper -------------------------------------------------------

PAPER = pd.DataFrame(
    [("LVBP", 2.0, True), ("LVM", 2.0, True), ("RVBP", 2.0, False)], columns=["label", "paper", "paper_significant"]
).assign(question="change", cohort="acdc", approach="routed", region="base")


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
    assert agreement(found, PAPER)["verdict"].tolist() == verdicts


def test_a_cell_that_only_one_has_is_left_out():
    found = PAPER.rename(columns={"paper": "estimate"}).assign(low=1.0, high=3.0).query("label != 'LVM'")
    table = agreement(found, PAPER)
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
    one, two = (answers(scores(noisy, seeds=seeds), DESIGN) for seeds in ((1,), (1, 2)))
    assert "over patients; with one seed they say nothing about others" in introduction(one, {"acdc": "ACDC"})
    assert "over patients and 2 seeds" in introduction(two, {"acdc": "ACDC"})
    assert introduction(two, {"acdc": "ACDC"}).endswith("ACDC n = 10 patients.")


def test_differences_whose_interval_excludes_0_are_bold_and_errors_never_are():
    parts = sections(routed_by_errors(PATIENTS[:3]), {"acdc": "ACDC"}, {"baseline": "Baseline"})
    gap, *_, missed, classifier = parts
    assert gap.title == "Is there a gap?"
    assert not gap.bold.any(axis=None)
    assert not missed.bold.any(axis=None)
    assert classifier.cells["errors (%)"].str.match(r"30\.00 \[").any()
    assert classifier.bold[["change, right", "change, wrong"]].all(axis=None)
    assert not classifier.bold[["errors (%)", "break-even (%)"]].any(axis=None)


def test_without_other_approaches_only_the_baseline_is_asked_about():
    data = scores(noisy)
    alone = data[data["approach"] == "baseline"]
    found = answers(alone, Design("baseline", (), None, ()))
    titles = [part.title for part in sections(found, {}, {})]
    assert titles == ["Is there a gap?", "How often is a label missed altogether?"]


def test_places_without_an_answer_are_left_out():
    """There is a gap at the apex of one label, so there is a share of that one."""
    worse = {("apex", "LVM"): 0.4}
    found = answers(scores(lambda a, s, p, region, label: 0.9 - worse.get((region, label), 0)), DESIGN)
    (share,) = [part for part in sections(found, {}, {}) if part.title == "How much of the gap is that?"]
    assert share.cells.columns.tolist() == ["cohort", "approach", "label", "apex"]
    assert set(share.cells["label"]) == {"LVM", "all (mean)"}


def test_a_slice_is_right_where_the_classifier_names_its_region():
    table = pd.DataFrame({"case": "c", "slice": [0, 1], "region": pd.Categorical(["base", "apex"], REGIONS)})
    classified = pd.DataFrame({"case": "c", "slice": [0, 1], "region": ["base", "base"]})
    assert with_right(table, classified)["right"].tolist() == [True, False]


# ---- Published seeds --------------------------------------------------------


def published(folder, changes):
    """Configurations of published seeds; nothing else is read before they are found to agree."""
    for number, change in enumerate(changes):
        config = default_configuration()
        update_config(config, change)
        (folder / f"seed{number}").mkdir()
        (folder / f"seed{number}/config.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([], "holds no folder seed"),
        ([{"seed": 1}, {"seed": 2, "segmentation": {"epochs": 7}}], "seed1: its config.yaml differs from .*seed0"),
        ([{"seed": 1}, {"seed": 2}, {"seed": 1}], "two runs have the same seed"),
    ],
    ids=["none", "other settings", "the same twice"],
)
def test_seeds_that_do_not_belong_together_are_refused(tmp_path, changes, fault):
    published(tmp_path, changes)
    with pytest.raises(InputError, match=fault):
        write_answers_of_seeds(tmp_path, tmp_path)
