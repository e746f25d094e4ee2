"""The regions of a whole stack, read at once from the evidence of its slices.

The rule that defines the regions (paper, section 3: 20/60/20 of the labelled slices) makes them a property of the
stack: the first and the last labelled slice decide the region of every slice. The evidence is a log probability of each
slice and class, whatever it comes from: a classifier, a segmentation, or both. `best_regions` takes the pair of a first
and a last labelled slice with which all evidence agrees best; `stack_marginals` weighs all pairs.

Every pair, and the stack without any labelled slice, has the same prior probability. So nothing is learnt about how
many slices a heart has; note that there are more pairs with few labelled slices than with many. A classifier's
probabilities count as they are; they are not divided by how frequent the classes are.
"""

from collections.abc import Callable, Sequence
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


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return the logs of probabilities; see `SMALLEST_PROBABILITY`."""
    return np.log(np.clip(probabilities, SMALLEST_PROBABILITY, None))


def best_regions(evidence: np.ndarray, rule: RegionRule) -> np.ndarray:
    """Return the region of each slice of one stack, read from all of its slices together.

    For every pair of a first and a last labelled slice, and for a stack without any, the rule of
    `cmrslices.cohorts.regions.slice_regions` says which region each slice has. The pair whose regions have the highest
    sum of evidence is taken. No pair is left out of the search. Among equal sums, the pair with more labelled
    slices is taken, and then the more basal one.

    Parameters
    ----------
    evidence : (slices, classes) array
        Log probabilities; classes in the order of `SLICE_CLASSES`; slice 0 at the base.
    rule : RegionRule
        The configuration's `regions`.

    Returns
    -------
    (slices,) array of str
        base, middle, apex or non-cardiac. The slices with a region of the heart are next to each other.
    """
    classes = _possible_regions(len(evidence), rule)
    best = np.argmax(np.round(_sums(evidence, classes), DECIMALS))
    return np.array(SLICE_CLASSES, dtype=object)[classes[best]]


def stack_marginals(evidence: np.ndarray, rule: RegionRule) -> np.ndarray:
    """Return how probable each class is for each slice of one stack, given all of its slices.

    The probability of a pair of a first and a last labelled slice, or of a stack without any, is in proportion to
    exp(sum of evidence): all have the same prior. Its regions by the rule get this probability in every slice.

    Parameters
    ----------
    evidence, rule
        As in `best_regions`. The evidence may be -inf where a class is ruled out, if a pair without it remains.

    Returns
    -------
    (slices, classes) array
        Each row sums to 1.

    Examples
    --------
    Nothing is known about two slices. Of the four possibilities, both labelled, only the first, only the second and
    none, two say that the first slice is labelled; one or two labelled slices are middle:

    >>> print(stack_marginals(np.zeros((2, 4)), RegionRule()))
    [[0.5 0.  0.5 0. ]
     [0.5 0.  0.5 0. ]]
    """
    classes = _possible_regions(len(evidence), rule)
    sums = _sums(evidence, classes)
    weights = np.exp(sums - sums.max())
    weights /= weights.sum()
    return np.stack([weights @ (classes == index) for index in range(len(SLICE_CLASSES))], axis=1)


def read_stack(probabilities: np.ndarray, rule: RegionRule) -> np.ndarray:
    """Return the region of each slice of one stack by a classifier's probabilities; see `best_regions`.

    A temperature would divide all sums by the same number, so that none is needed.

    Parameters
    ----------
    probabilities : (slices, classes) array
    rule : RegionRule

    Examples
    --------
    The third slice looks like none of the heart, but it lies between slices that do:

    >>> sure = np.full((5, 4), 0.02) + 0.92 * np.eye(4)[[1, 2, 0, 2, 3]]
    >>> print(*read_stack(sure, RegionRule(base=0.2, apex=0.2)))
    base middle middle middle apex
    """
    return best_regions(log_probabilities(probabilities), rule)


def by_stack(slices: pd.DataFrame, values: np.ndarray, read: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply a function to each stack of a cohort by itself.

    Parameters
    ----------
    slices : DataFrame
        ``case`` and ``slice``, in any order of the rows.
    values : (rows, ...) array
        Of each row of `slices`.
    read : callable
        From the values of a stack, slice 0 first, to as many results.

    Returns
    -------
    (rows, ...) array
        The results, in the order of the rows.
    """
    order = np.lexsort([slices["slice"], slices["case"]])
    cases = slices["case"].to_numpy()[order]
    firsts = np.flatnonzero(cases[1:] != cases[:-1]) + 1
    read_all = [read(stack) for stack in np.split(values[order], firsts)]
    return np.concatenate(read_all)[np.argsort(order)]


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
    values = probabilities[list(SLICE_CLASSES)].to_numpy()
    regions = by_stack(probabilities, values, lambda stack: read_stack(stack, rule))
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


def _sums(evidence: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The sum of evidence of each possibility of `_possible_regions`."""
    return evidence[np.arange(len(evidence)), classes].sum(axis=1)


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
