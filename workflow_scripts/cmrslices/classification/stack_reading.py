"""The regions of a whole stack, read at once from a classifier's probabilities of its slices.

The rule that defines the regions (paper, section 3: 20/60/20 of the labelled slices) makes them a property of the
stack: the first and the last labelled slice decide the region of every slice. So `read_stack` looks for the two with
which the probabilities of all slices agree best.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from cmrslices.cohorts.regions import RegionRule, slice_regions
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError

SMALLEST_PROBABILITY = 1e-6
"""A smaller probability counts as this one. The files of probabilities have six decimals, and log 0 is infinite."""
DECIMALS = 9
"""Decimals of the sums of log probabilities that are compared, so that floating-point noise does not break a tie."""


def read_stack(probabilities: np.ndarray, rule: RegionRule) -> np.ndarray:
    """Return the region of each slice of one stack, read from all of its slices together.

    For every pair of a first and a last labelled slice, and for a stack without any, the rule of
    `cmrslices.cohorts.regions.slice_regions` says which region each slice has. The pair whose regions have the highest
    sum of log probabilities is taken. No pair is left out of the search. Among equal sums, the pair with more labelled
    slices is taken, and then the more basal one.

    Parameters
    ----------
    probabilities : (slices, classes) array
        Classes in the order of `SLICE_CLASSES`; slice 0 at the base.
    rule : RegionRule
        The configuration's `regions`.

    Returns
    -------
    (slices,) array of str
        base, middle, apex or non-cardiac. The slices with a region of the heart are next to each other.

    Examples
    --------
    The third slice looks like none of the heart, but it lies between slices that do:

    >>> sure = np.full((5, 4), 0.02) + 0.92 * np.eye(4)[[1, 2, 0, 2, 3]]
    >>> print(*read_stack(sure, RegionRule(base=0.2, apex=0.2)))
    base middle middle middle apex
    """
    logs = np.log(np.clip(probabilities, SMALLEST_PROBABILITY, None))
    classes = _possible_regions(len(logs), rule)
    sums = logs[np.arange(len(logs)), classes].sum(axis=1)
    best = np.argmax(np.round(sums, DECIMALS))
    return np.array(SLICE_CLASSES, dtype=object)[classes[best]]


def stack_regions(probabilities: pd.DataFrame, rule: RegionRule) -> pd.DataFrame:
    """Return the region of every slice of a cohort, each stack read as a whole.

    Parameters
    ----------
    probabilities : DataFrame
        ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`, in any order of the rows.
    rule : RegionRule
        As in `read_stack`.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``, in the order of the rows.
    """
    ordered = probabilities.sort_values(["case", "slice"])
    values, firsts = ordered[list(SLICE_CLASSES)].to_numpy(), np.flatnonzero(~ordered["case"].duplicated())
    stacks = np.split(values, firsts[1:]) if len(values) else []
    found = np.concatenate([read_stack(stack, rule) for stack in stacks]) if stacks else np.empty(0, dtype=object)
    regions = pd.Series(found, index=ordered.index, dtype=object)
    return probabilities[["case", "slice"]].assign(region=regions)


def mean_probabilities(networks: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the mean of the probabilities that several networks give for the slices of one cohort.

    Parameters
    ----------
    networks : list of DataFrame
        Of each network ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`.

    Returns
    -------
    DataFrame
        The same columns, in the order of the first network's rows.

    Raises
    ------
    InputError
        The networks do not have the same slices.
    """
    first, *others = networks
    keys = pd.MultiIndex.from_frame(first[["case", "slice"]])
    total = first[list(SLICE_CLASSES)].to_numpy(dtype=float)
    for other in others:
        table = other.set_index(["case", "slice"])[list(SLICE_CLASSES)]
        if len(table) != len(keys) or not table.index.is_unique or not keys.isin(table.index).all():
            raise InputError("probabilities: the networks did not classify the same slices; classify them again")
        total = total + table.loc[keys].to_numpy()
    columns = dict(zip(SLICE_CLASSES, (total / len(networks)).T, strict=True))
    return first[["case", "slice"]].assign(**columns)


@lru_cache
def _possible_regions(slices: int, rule: RegionRule) -> np.ndarray:
    """The regions, as indices of `SLICE_CLASSES`, that the rule gives to a stack for each pair of first and last slice.

    Returns
    -------
    (pairs + 1, slices) array of int
        Those with more labelled slices come first, then the more basal ones. The last row is the stack without any.
    """
    rows = []
    for count in range(slices, 0, -1):
        for first in range(slices - count + 1):
            labelled = np.zeros(slices, dtype=bool)
            labelled[first : first + count] = True
            rows.append(slice_regions(labelled, rule)[0])
    rows.append(slice_regions(np.zeros(slices, dtype=bool), rule)[0])
    number = {name: index for index, name in enumerate(SLICE_CLASSES)}
    return np.array([[number[region] for region in row] for row in rows], dtype=int).reshape(len(rows), slices)
