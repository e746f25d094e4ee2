"""Random splits over patients within each disease group: both phases of a patient are on the same side."""

from collections.abc import Mapping

import numpy as np

from cmrslices.cohorts.tables import read_cases, write_splits
from cmrslices.runtime.errors import InputError


def split_cohort(cases: str, splits: str, sizes: dict[str, float] | None, seed: int) -> None:
    """Write the split of every converted case.

    Parameters
    ----------
    cases : path
        The cohort's cases.csv.
    splits : path
        The table to write: case, patient, split.
    sizes, seed
        As in `split_patients`; where sizes is None, all patients are test.
    """
    table = read_cases(cases).query("not excluded").sort_values("case")
    groups = dict(zip(table["patient"], table["group"], strict=True))
    split_of = dict.fromkeys(groups, "test") if sizes is None else split_patients(groups, sizes, seed)
    table["split"] = table["patient"].map(split_of)
    write_splits(table, splits)
    print(table.groupby("split")["patient"].nunique().rename("patients").to_string())


def split_patients(groups: Mapping[str, str], sizes: dict[str, float], seed: int) -> dict[str, str]:
    """Draw the split of each patient.

    Every patient is as likely to be in a split as its size says, and every group is split like the whole, but for
    rounding.

    Parameters
    ----------
    groups : dict
        Patient, in any order, to disease group; the same for all where groups are not known.
    sizes : dict
        Split to its number of patients, or to its fraction of them.
    seed : int

    Returns
    -------
    dict
        Patient to split.

    Raises
    ------
    InputError
        As in `split_counts`.
    """
    rng = np.random.default_rng(seed)
    patients = rng.permutation(sorted(groups)).tolist()
    order = {group: place for place, group in enumerate(rng.permutation(sorted(set(groups.values()))).tolist())}
    patients.sort(key=lambda patient: order[groups[patient]])
    spread = np.roll(spread_evenly(split_counts(sizes, len(patients))), rng.integers(len(patients)))
    return dict(zip(patients, spread.tolist(), strict=True))


def spread_evenly(counts: dict[str, int]) -> np.ndarray:
    """Each name as often as counted, in an order in which any run of them holds all in proportion."""
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts.values()])
    return np.repeat(list(counts), list(counts.values()))[np.argsort(places, kind="stable")]


def split_counts(sizes: dict[str, float], patients: int) -> dict[str, int]:
    """Patients of each split; fractions are rounded by the largest remainder.

    Parameters
    ----------
    sizes : dict
        Split to number, where they sum to the number of patients, or to fraction, where they sum to 1.
    patients : int

    Raises
    ------
    InputError
        They sum to neither, or a fraction comes to less than one patient.
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
