"""Random splits over patients."""

from collections import Counter

import pandas as pd
import pytest

from cmrslices.cohorts.splits import split_by_fold, split_cohort, split_counts, split_patients
from cmrslices.runtime.errors import InputError

PATIENTS = [f"p{number:03d}" for number in range(100)]
ONE_GROUP = dict.fromkeys(PATIENTS, "")
FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}


def test_counts_are_kept():
    assert split_counts({"train": 3382, "validation": 846, "test": 456}, 4684) == {
        "train": 3382,
        "validation": 846,
        "test": 456,
    }


@pytest.mark.parametrize(
    ("patients", "counts"),
    [(100, [70, 10, 20]), (10, [7, 1, 2]), (11, [8, 1, 2]), (13, [9, 1, 3]), (4684, [3279, 468, 937])],
)
def test_fractions_are_rounded_by_the_largest_remainder(patients, counts):
    assert list(split_counts(FRACTIONS, patients).values()) == counts


@pytest.mark.parametrize("patients", [7, 8, 19, 99, 101, 4683])
def test_every_patient_has_a_split_whatever_their_number(patients):
    assert sum(split_counts(FRACTIONS, patients).values()) == patients


def test_a_fraction_of_0_may_be_empty():
    assert split_counts({"train": 0.5, "validation": 0, "test": 0.5}, 4) == {"train": 2, "validation": 0, "test": 2}


def test_a_fraction_that_comes_to_no_patient_is_an_error():
    with pytest.raises(InputError, match=r"splits: .* of 3 patients leaves a split empty"):
        split_counts(FRACTIONS, 3)


@pytest.mark.parametrize(
    "sizes",
    [
        {"train": 50, "validation": 10, "test": 20},
        {"train": 0.7, "validation": 0.1, "test": 0.1},
        {"train": 99.5, "test": 0.5},
    ],
)
def test_sizes_that_do_not_add_up_are_an_error_that_says_to_what_they_should(sizes):
    with pytest.raises(InputError, match=r"splits: .* has 100 patients; give numbers that sum to 100, or fractions"):
        split_counts(sizes, 100)


def test_the_draw_depends_on_the_seed_alone():
    drawn = split_patients(ONE_GROUP, FRACTIONS, seed=1)
    assert split_patients(dict.fromkeys(PATIENTS[::-1], ""), FRACTIONS, seed=1) == drawn
    assert split_patients(ONE_GROUP, FRACTIONS, seed=2) != drawn


def test_every_patient_is_drawn_into_one_split():
    drawn = split_patients(ONE_GROUP, FRACTIONS, seed=1)
    assert sorted(drawn) == PATIENTS
    assert Counter(drawn.values()) == {"train": 70, "validation": 10, "test": 20}


UNEVEN = dict(zip(PATIENTS, ["HCM"] * 57 + ["DCM"] * 40 + ["rare"] * 3, strict=True))


@pytest.mark.parametrize("groups", [ONE_GROUP, UNEVEN, {name: name for name in PATIENTS}], ids=["one", "uneven", "own"])
def test_every_patient_is_as_likely_to_be_test(groups):
    draws = Counter()
    for seed in range(500):
        draws.update(name for name, split in split_patients(groups, FRACTIONS, seed).items() if split == "test")
    assert min(draws[name] for name in PATIENTS) > 100 - 4.5 * 9
    assert max(draws[name] for name in PATIENTS) < 100 + 4.5 * 9


def by_group(groups, seed):
    drawn = split_patients(groups, FRACTIONS, seed)
    return pd.crosstab(pd.Series(groups), pd.Series(drawn)).reindex(columns=list(FRACTIONS), fill_value=0)


@pytest.mark.parametrize("seed", range(5))
def test_groups_as_large_as_acdcs_are_split_exactly_like_the_whole(seed):
    groups = {name: f"group{number % 5}" for number, name in enumerate(PATIENTS)}
    assert (by_group(groups, seed) == [14, 2, 4]).all(axis=None)


@pytest.mark.parametrize("seed", range(50))
def test_any_group_is_split_like_the_whole_but_for_rounding(seed):
    table = by_group(UNEVEN, seed)
    assert (table.sum() == [70, 10, 20]).all()
    wanted = table.sum(axis=1).to_numpy()[:, None] * list(FRACTIONS.values())
    assert (table - wanted).abs().to_numpy().max() < 2


def test_patients_of_one_group_are_not_always_together_in_a_split():
    tests = {
        frozenset(name for name, split in split_patients(UNEVEN, FRACTIONS, seed).items() if split == "test")
        for seed in range(50)
    }
    assert len(tests) == 50


@pytest.fixture
def cases(tmp_path):
    rows = [(f"c_{name}_{phase}", name, name == "p000", None) for name in PATIENTS[:11] for phase in ("ED", "ES")]
    path = tmp_path / "cases.csv"
    pd.DataFrame(rows, columns=["case", "patient", "excluded", "group"]).to_csv(path, index=False)
    return path


def test_both_phases_are_on_one_side_and_excluded_cases_on_none(cases, tmp_path):
    split_cohort(cases, tmp_path / "splits.csv", FRACTIONS, seed=3)
    table = pd.read_csv(tmp_path / "splits.csv")
    assert table.columns.tolist() == ["case", "patient", "split"]
    assert "p000" not in set(table["patient"])
    assert (table.groupby("patient")["split"].agg(["nunique", "size"]) == [1, 2]).all(axis=None)
    assert table["split"].value_counts().to_dict() == {"train": 14, "test": 4, "validation": 2}


def test_a_cohort_that_is_not_trained_on_is_all_test(cases, tmp_path):
    split_cohort(cases, tmp_path / "splits.csv", None, seed=3)
    assert set(pd.read_csv(tmp_path / "splits.csv")["split"]) == {"test"}


def test_the_groups_of_the_cohort_are_split_alike(tmp_path):
    rows = [(f"c_{name}", name, False, ("HCM", "DCM")[number % 2]) for number, name in enumerate(PATIENTS)]
    pd.DataFrame(rows, columns=["case", "patient", "excluded", "group"]).to_csv(tmp_path / "cases.csv", index=False)
    split_cohort(tmp_path / "cases.csv", tmp_path / "splits.csv", FRACTIONS, seed=3)
    both = pd.read_csv(tmp_path / "splits.csv").merge(pd.read_csv(tmp_path / "cases.csv"))
    assert (pd.crosstab(both["group"], both["split"])[list(FRACTIONS)] == [35, 5, 10]).all(axis=None)


GROUPS = {patient: "ABCDE"[place % 5] for place, patient in enumerate(PATIENTS)}


def test_every_patient_is_a_test_patient_in_one_fold():
    folds = [split_by_fold(GROUPS, FRACTIONS, fold) for fold in range(1, 6)]
    assert Counter(patient for fold in folds for patient in fold if fold[patient] == "test") == Counter(PATIENTS)


def test_every_fold_has_the_sizes_of_the_splits_and_the_same_proportions_of_disease_groups():
    for fold in range(1, 6):
        split_of = split_by_fold(GROUPS, FRACTIONS, fold)
        counts = Counter((GROUPS[patient], split) for patient, split in split_of.items())
        assert Counter(split_of.values()) == {"train": 70, "validation": 10, "test": 20}
        assert [counts[group, split] for group in "ABCDE" for split in FRACTIONS] == [14, 2, 4] * 5


def test_folds_do_not_depend_on_the_order_of_the_patients():
    turned = dict(reversed(GROUPS.items()))
    assert split_by_fold(turned, FRACTIONS, 2) == split_by_fold(GROUPS, FRACTIONS, 2)


def test_folds_of_counts_are_those_of_the_fractions():
    counts = {"train": 70, "validation": 10, "test": 20}
    assert split_by_fold(GROUPS, counts, 3) == split_by_fold(GROUPS, FRACTIONS, 3)


@pytest.mark.parametrize("patients", [98, 99, 101])
def test_folds_of_a_cohort_that_cannot_be_divided_evenly_differ_by_one_patient(patients):
    groups = {f"p{number:03d}": "" for number in range(patients)}
    sizes = [Counter(split_by_fold(groups, FRACTIONS, fold).values())["test"] for fold in range(1, 6)]
    assert sum(sizes) == patients and max(sizes) - min(sizes) <= 1


def test_the_fold_of_a_cohort_is_written_without_a_seed(cases, tmp_path):
    split_cohort(cases, tmp_path / "splits.csv", FRACTIONS | {"fold": 2}, seed=None)
    written = pd.read_csv(tmp_path / "splits.csv").set_index("patient")["split"].to_dict()
    assert written == split_by_fold(dict.fromkeys(PATIENTS[1:11], ""), FRACTIONS, 2)
