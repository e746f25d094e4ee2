"""The whole stack at once: the first and last labelled slice that fit the probabilities best."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from cmrslices.classification.stack_reading import (
    best_regions,
    log_probabilities,
    mean_probabilities,
    read_stack,
    stack_marginals,
    stack_regions,
)
from cmrslices.cohorts.regions import RegionRule, slice_regions
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES
from cmrslices.runtime.errors import InputError

RULE = RegionRule(base=0.2, apex=0.2)


def favouring(*regions, by=0.9):
    """Probabilities of one stack: `by` for these regions, the rest shared by the others."""
    sure = np.array([[region == name for name in SLICE_CLASSES] for region in regions])
    return np.where(sure, by, (1 - by) / 3)


def table(case, probabilities):
    columns = dict(zip(SLICE_CLASSES, np.transpose(probabilities), strict=True))
    return pd.DataFrame({"case": case, "slice": range(len(probabilities)), **columns})


def labelled(slices, first, last):
    """Whether each slice lies between the first and the last labelled one."""
    return (np.arange(slices) >= first) & (np.arange(slices) <= last)


def stacks_of(largest):
    return [(n, first, last) for n in range(1, largest + 1) for first, last in product(range(n), repeat=2)]


@pytest.mark.parametrize(("slices", "first", "last"), [place for place in stacks_of(9) if place[1] <= place[2]])
def test_certain_probabilities_of_the_reference_give_the_reference(slices, first, last):
    reference, _ = slice_regions(labelled(slices, first, last), RULE)
    assert read_stack(favouring(*reference, by=1), RULE).tolist() == reference.tolist()


@pytest.mark.parametrize(
    "rule", [RULE, RegionRule(0.3, 0.1), RegionRule(0.0, 0.5), RegionRule(rule="ends")], ids=lambda rule: rule.rule
)
def test_no_other_first_and_last_slice_has_a_higher_sum_of_logs(rule):
    draw = np.random.default_rng(0)
    for slices in range(1, 13):
        probabilities = draw.dirichlet([0.3] * 4, size=slices)
        stacks = [labelled(n, first, last) for n, first, last in stacks_of(slices) if n == slices]
        names = [slice_regions(stack, rule)[0] for stack in (*stacks, np.zeros(slices, dtype=bool))]

        def fit(regions, p=probabilities):
            columns = [SLICE_CLASSES.index(region) for region in regions]
            return np.log(np.clip(p[np.arange(len(p)), columns], 1e-6, None)).sum()

        assert fit(read_stack(probabilities, rule)) == pytest.approx(max(map(fit, names)))


def test_the_shares_are_those_of_the_configuration():
    probabilities = favouring("base", "base", "base", "middle", "middle", "middle")
    assert read_stack(probabilities, RegionRule(base=0.5, apex=0.0)).tolist() == ["base"] * 3 + ["middle"] * 3


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("middle", "middle"),
        ("base", "middle"),
        ("base apex", "middle middle"),
        ("non-cardiac middle", "non-cardiac middle"),
        ("base middle apex", "base middle apex"),
        ("middle non-cardiac non-cardiac", "middle non-cardiac non-cardiac"),
        ("middle middle middle", "middle middle non-cardiac"),
        ("non-cardiac base middle apex", "non-cardiac base middle apex"),
        ("base middle middle apex", "base middle middle apex"),
    ],
)
def test_a_stack_of_one_to_four_slices_follows_the_rule(named, expected):
    """One or two labelled slices are middle, because the centres of two lie at 1/4 and 3/4; three have all regions."""
    assert read_stack(favouring(*named.split()), RULE).tolist() == expected.split()


def test_a_stack_in_which_no_slice_looks_like_the_heart_has_no_labelled_slice():
    assert set(read_stack(favouring(*[NON_CARDIAC] * 6), RULE)) == {NON_CARDIAC}


def test_a_gap_in_the_heart_is_filled():
    probabilities = favouring("base", "middle", NON_CARDIAC, "middle", "apex")
    assert read_stack(probabilities, RULE).tolist() == ["base", "middle", "middle", "middle", "apex"]


def test_a_slice_of_the_heart_far_outside_of_it_is_left_out():
    named = [NON_CARDIAC, "base", "middle", "middle", "apex", NON_CARDIAC, NON_CARDIAC, "apex"]
    expected = [NON_CARDIAC, "base", "middle", "middle", "apex", *[NON_CARDIAC] * 3]
    assert read_stack(favouring(*named), RULE).tolist() == expected


def test_a_probability_of_zero_does_not_rule_out_a_reading():
    probabilities = favouring("base", "middle", "middle", "middle", "apex", by=1)
    probabilities[2] = [1, 0, 0, 0]
    assert read_stack(probabilities, RULE).tolist() == ["base", "middle", "middle", "middle", "apex"]


@pytest.mark.parametrize("slices", range(1, 8))
def test_of_equal_sums_the_one_with_more_labelled_slices_is_taken(slices):
    whole, _ = slice_regions(np.ones(slices, dtype=bool), RULE)
    assert read_stack(np.full((slices, 4), 0.25), RULE).tolist() == whole.tolist()


def test_of_equal_sums_with_as_many_labelled_slices_the_more_basal_one_is_taken():
    """Three labelled slices are base, middle and apex, so the first two and the last two fit equally well."""
    assert read_stack(favouring("middle", "middle", "middle"), RULE).tolist() == ["middle", "middle", NON_CARDIAC]


def test_each_stack_of_a_cohort_is_read_by_itself_and_the_rows_keep_their_order():
    one = table("x", favouring("base", "middle", NON_CARDIAC, "middle", "apex"))
    other = table("a", favouring(NON_CARDIAC, NON_CARDIAC))
    mixed = pd.concat([one, other], ignore_index=True).sample(frac=1, random_state=1)
    found = stack_regions(mixed, RULE)
    assert found[["case", "slice"]].equals(mixed[["case", "slice"]])
    regions = found.sort_values(["case", "slice"])["region"].tolist()
    assert regions == [NON_CARDIAC] * 2 + ["base", "middle", "middle", "middle", "apex"]


def test_a_cohort_without_a_case_has_no_region():
    assert stack_regions(table("x", np.empty((0, 4))), RULE).empty


def test_the_mean_of_networks_is_that_of_each_slice_whatever_the_order_of_the_rows():
    one, other = table("x", favouring("base", "apex", by=1)), table("x", favouring("base", "middle", by=1))
    mean = mean_probabilities([one, other.iloc[::-1]])
    assert mean[["base", "middle", "apex"]].to_numpy().tolist() == [[1, 0, 0], [0, 0.5, 0.5]]
    assert mean["slice"].tolist() == [0, 1]


def test_networks_that_classified_other_slices_have_no_mean():
    one, other = table("x", favouring("base", "apex")), table("x", favouring("base"))
    for pair in ([one, other], [other, one]):
        with pytest.raises(InputError, match="did not classify the same slices"):
            mean_probabilities(pair)


# ---- Evidence and marginals -------------------------------------------------

RULES = [RULE, RegionRule(0.3, 0.1), RegionRule(0.0, 0.5), RegionRule(rule="ends")]


def possibilities(slices, rule):
    """The class of each slice, by each pair of a first and a last labelled slice, and without any."""
    stacks = [labelled(n, first, last) for n, first, last in stacks_of(slices) if n == slices and first <= last]
    regions = [slice_regions(stack, rule)[0] for stack in (*stacks, np.zeros(slices, dtype=bool))]
    return np.array([[SLICE_CLASSES.index(region) for region in row] for row in regions])


@pytest.mark.parametrize("temperature", [0.05, 0.37, 1.9, 20.0])
def test_a_temperature_changes_no_hard_reading_ties_included(temperature):
    """Every second stack has many ties, because its probabilities are 1/2, 1/4 or 1/8."""
    draw = np.random.default_rng(3)
    for number in range(200):
        slices = draw.integers(1, 13)
        rounded = draw.permuted(np.tile([0.5, 0.25, 0.125, 0.125], (slices, 1)), axis=1)
        probabilities = rounded if number % 2 else draw.dirichlet([0.3] * 4, size=slices)
        uncalibrated = read_stack(probabilities, RULE).tolist()
        assert best_regions(log_probabilities(probabilities) / temperature, RULE).tolist() == uncalibrated


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.base}-{rule.apex}-{rule.rule}")
def test_marginals_are_the_sum_over_all_pairs_and_no_labelled_slice(rule):
    draw = np.random.default_rng(1)
    for slices in range(1, 8):
        evidence = np.log(draw.dirichlet([0.5] * 4, size=slices))
        expected, total = np.zeros((slices, 4)), 0.0
        for classes in possibilities(slices, rule):
            weight = np.exp(sum(evidence[index, name] for index, name in enumerate(classes)))
            total += weight
            for index, name in enumerate(classes):
                expected[index, name] += weight
        assert stack_marginals(evidence, rule) == pytest.approx(expected / total)


@pytest.mark.parametrize("slices", [1, 2, 3, 4, 9, 20])
def test_marginals_sum_to_one_in_every_slice(slices):
    evidence = np.log(np.random.default_rng(2).dirichlet([0.1] * 4, size=slices) + 1e-9)
    marginals = stack_marginals(evidence, RULE)
    assert marginals.sum(axis=1) == pytest.approx(np.ones(slices))
    assert (marginals >= 0).all()


@pytest.mark.parametrize(("slices", "first", "last"), [place for place in stacks_of(6) if place[1] <= place[2]])
def test_one_hot_evidence_of_the_reference_gives_one_hot_marginals(slices, first, last):
    reference, _ = slice_regions(labelled(slices, first, last), RULE)
    sure = np.array([[region == name for name in SLICE_CLASSES] for region in reference])
    with np.errstate(divide="ignore"):
        evidence = np.log(sure.astype(float))
    assert stack_marginals(evidence, RULE).tolist() == sure.astype(float).tolist()


def test_evidence_that_no_slice_is_labelled_gives_that():
    with np.errstate(divide="ignore"):
        evidence = np.log(np.eye(4)[[0] * 5])
    assert stack_marginals(evidence, RULE)[:, 0].tolist() == [1] * 5


def test_without_evidence_each_pair_and_no_labelled_slice_have_the_same_probability():
    """Of seven possibilities for three slices, three have the first slice labelled, and four the second one."""
    marginals = stack_marginals(np.zeros((3, 4)), RULE)
    assert 1 - marginals[:, 0] == pytest.approx(np.array([3, 4, 3]) / 7)
    assert marginals[0, 1] == pytest.approx(1 / 7)  # base: only if all three are labelled


def test_very_small_probabilities_of_a_long_stack_do_not_vanish():
    marginals = stack_marginals(np.full((60, 4), -1000.0), RULE)
    assert marginals.sum(axis=1) == pytest.approx(np.ones(60))


def test_evidence_that_is_the_same_for_all_classes_of_a_slice_changes_nothing():
    """So it does not matter whether p^(1/T) is scaled to sum to 1."""
    evidence = np.log(np.random.default_rng(4).dirichlet([0.5] * 4, size=6))
    shifted = evidence + np.arange(6)[:, None]
    assert stack_marginals(shifted, RULE) == pytest.approx(stack_marginals(evidence, RULE))
