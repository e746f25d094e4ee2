"""Splits of the patients, balanced over disease groups: both phases of a patient are in the same split.

They are drawn at random, or are those of one fold of a cross-validation.
"""

from collections.abc import Mapping

import numpy as np

from cmrslices.cohorts.tables import read_cases, write_splits
from cmrslices.runtime.errors import InputError


def split_cohort(cases: str, splits: str, sizes: dict[str, float] | None, seed: int | None) -> None:
    """Write the split of every converted case.

    Parameters
    ----------
    cases : path
        The cohort's cases.csv.
    splits : path
        The table to write, see `cmrslices.cohorts.tables.SPLITS`.
    sizes : dict or None
        As in `split_patients`, and ``fold``, as in `split_by_fold`, in place of a seed. None puts all patients into the
        test split.
    seed : int or None
        As in `split_patients`; None where there is a fold.
    """
    table = read_cases(cases).query("not excluded").sort_values("case")
    groups = dict(zip(table["patient"], table["group"], strict=True))
    if sizes is None:
        split_of = dict.fromkeys(groups, "test")
    elif seed is None:
        split_of = split_by_fold(groups, {name: sizes[name] for name in sizes if name != "fold"}, int(sizes["fold"]))
    else:
        split_of = split_patients(groups, sizes, seed)
    table["split"] = table["patient"].map(split_of)
    write_splits(table, splits)
    print(table.groupby("split")["patient"].nunique().rename("patients").to_string())


def split_patients(groups: Mapping[str, str], sizes: dict[str, float], seed: int) -> dict[str, str]:
    """Draw the split of each patient.

    Each patient has the same chance to come into a split: the split's share of all patients. Each disease group is
    divided in the same proportions as the whole, up to rounding.

    Parameters
    ----------
    groups : dict
        Patient to disease group, patients in any order; one group for all if groups are not known.
    sizes : dict
        Split to its number of patients, or to its fraction of all patients.
    seed : int

    Returns
    -------
    dict
        Patient to split.

    Raises
    ------
    InputError
        As in `split_counts`.

    Examples
    --------
    >>> groups = {"a": "DCM", "b": "DCM", "c": "HCM", "d": "HCM"}
    >>> split_of = split_patients(groups, {"train": 0.5, "test": 0.5}, seed=1)
    >>> sorted(split_of[patient] for patient in "ab"), sorted(split_of[patient] for patient in "cd")
    (['test', 'train'], ['test', 'train'])
    """
    rng = np.random.default_rng(seed)
    patients = _shuffled_by_group(groups, rng)
    spread = np.roll(spread_evenly(split_counts(sizes, len(patients))), rng.integers(len(patients)))
    return dict(zip(patients, spread.tolist(), strict=True))


def split_by_fold(groups: Mapping[str, str], sizes: dict[str, float], fold: int) -> dict[str, str]:
    """Put each patient into the split that it has in one fold of a cross-validation.

    The patients are divided into folds that depend on their names and disease groups alone, so that runs with other
    seeds, at other times, have the same folds. A fold's patients are its test split; the others are divided into
    training and validation, in the proportion of their sizes. Each disease group is divided in the same proportions as
    the whole, up to rounding, and every patient is a test patient in one fold.

    Parameters
    ----------
    groups : dict
        As in `split_patients`.
    sizes : dict
        As in `split_patients`. All sizes together are a whole multiple of the size of ``test``; this is the number of
        folds.
    fold : int
        From 1 to the number of folds.

    Returns
    -------
    dict
        Patient to split.

    Raises
    ------
    InputError
        As in `split_counts`.

    Examples
    --------
    >>> sizes = {"train": 0.5, "validation": 0.25, "test": 0.25}
    >>> for fold in (1, 2, 3, 4):
    ...     print(*split_by_fold(dict.fromkeys("abcd", ""), sizes, fold).values())
    train validation test train
    test validation train train
    validation test train train
    validation train train test
    """
    split_counts(sizes, len(groups))
    patients = _shuffled_by_group(groups, np.random.default_rng(0))
    test = patients[fold - 1 :: round(sum(sizes.values()) / sizes["test"])]
    others = [patient for patient in patients if patient not in set(test)]
    share = {name: size / (sizes["train"] + sizes["validation"]) for name, size in sizes.items() if name != "test"}
    spread = spread_evenly(split_counts(share, len(others)))
    split_of = dict.fromkeys(test, "test") | dict(zip(others, spread.tolist(), strict=True))
    return {patient: split_of[patient] for patient in groups}


def _shuffled_by_group(groups: Mapping[str, str], rng: np.random.Generator) -> list[str]:
    """The patients in a random order, group by group in a random order of the groups."""
    patients = rng.permutation(sorted(groups)).tolist()
    order = {group: place for place, group in enumerate(rng.permutation(sorted(set(groups.values()))).tolist())}
    return sorted(patients, key=lambda patient: order[groups[patient]])


def spread_evenly(counts: dict[str, int]) -> np.ndarray:
    """Repeat each name by its count, in an order in which every stretch has the names in about the same proportions.

    Examples
    --------
    >>> print(*spread_evenly({"train": 6, "test": 2}))
    train train test train train train test train
    """
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts.values()])
    return np.repeat(list(counts), list(counts.values()))[np.argsort(places, kind="stable")]


def split_counts(sizes: dict[str, float], patients: int) -> dict[str, int]:
    """Number of patients in each split; fractions are rounded by the method of the largest remainder.

    Parameters
    ----------
    sizes : dict
        Split to its number of patients, if the numbers sum to all patients, or to its fraction, if they sum to 1.
    patients : int
        Number of all patients.

    Raises
    ------
    InputError
        The sizes sum to neither, or a fraction other than 0 comes to no patient.

    Examples
    --------
    70, 10 and 20 % of 13 patients are 9.1, 1.3 and 2.6:

    >>> split_counts({"train": 0.7, "validation": 0.1, "test": 0.2}, 13)
    {'train': 9, 'validation': 1, 'test': 3}
    """
    names, values = list(sizes), np.array(list(sizes.values()), dtype=float)
    if np.isclose(values.sum(), 1):
        counts = np.floor(values * patients + 1e-9).astype(int)
        largest_first = np.argsort(counts - values * patients, kind="stable")
        counts[largest_first[: patients - counts.sum()]] += 1
        if (counts[values > 0] == 0).any():
            raise InputError(f"splits: {sizes} of {patients} patients leaves a split empty; give it a larger fraction")
    elif values.sum() == patients and (values == values.astype(int)).all():
        counts = values.astype(int)
    else:
        raise InputError(
            f"splits: {sizes} sum to {values.sum():g}, but the training cohort has {patients} patients; "
            f"give numbers that sum to {patients}, or fractions that sum to 1"
        )
    return dict(zip(names, counts.tolist(), strict=True))
