"""The whole stack at once: the first and last labelled slice that fit the probabilities best."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from cmrslices.classification.stack_reading import mean_probabilities, read_stack, stack_regions
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
