"""What the scores of one or several seeds say: the questions, each with its formula and its interval."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from cmrslices.evaluation.cells import EITHER, count_cells, means, patients_in
from cmrslices.evaluation.intervals import ALL_SEEDS, DRAWS, OBSERVED, bootstrap_weights, interval

DECIMALS = 9
"""Decimals kept, so that floating-point noise does not pass for a difference."""
PERCENTAGES = ("missed", "errors", "break_even")
"""Questions whose answers lie within 0 and 100."""
ENDS = ["base", "apex"]


class Design(NamedTuple):
    """The approaches by their part in the questions.

    Attributes
    ----------
    baseline : str
        The approach that the others are compared with.
    others : tuple of str
        In reporting order.
    upper_bound : str or None
        The one of them that is routed by the reference.
    classified : tuple of str
        Those that are routed by the classifier.
    """

    baseline: str
    others: tuple[str, ...]
    upper_bound: str | None
    classified: tuple[str, ...]


class Answer(NamedTuple):
    """One question about one approach.

    Attributes
    ----------
    question, approach : str
    values : DataArray, axes seed, draw, label, region
        As `interval` takes them.
    patients : DataArray of int, axes label, region
        Patients with such slices: the fewest of those that the answer compares.
    """

    question: str
    approach: str
    values: xr.DataArray
    patients: xr.DataArray


def answers(scores: pd.DataFrame, design: Design, draws: int = DRAWS) -> pd.DataFrame:
    """Answer the questions for every cohort, label and region.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, of all seeds and approaches, with the columns seed, and right: whether the
        selected classifier names the slice's reference region.
    design : Design
    draws : int
        Of the bootstrap; the draws are the same in every call.

    Returns
    -------
    DataFrame
        question, cohort, approach, label (`ALL_LABELS` too), region (`WHOLE_HEART` too), estimate, low, high,
        lowest_seed and highest_seed (the estimates of single seeds), seeds, patients (with such slices: the
        fewest of those that the answer compares). The questions:

        - ``gap``: the baseline's middle minus its base or apex.
        - ``missed``: slices that carry the label and in which nothing of it is found (DSC 0), in %; of the baseline,
          too.
        - ``change``: the approach minus the baseline.
        - ``share``: the change at an end, in % of the baseline's gap there; empty unless the interval of the gap
          is above 0.
        - ``left``: the upper bound minus the approach.
        - ``errors``: slices whose region the classifier misses, in %.
        - ``right``, ``wrong``: the change on the slices whose region the classifier names or misses.
        - ``right_bound``, ``wrong_bound``: the upper bound minus the baseline on the same slices.
        - ``break_even``: see `break_even`.

        All but ``missed``, ``share``, ``errors`` and ``break_even`` are in points of DSC %. A percentage of slices
        that is the same in every draw has no interval.

    Raises
    ------
    InputError
        When the approaches of a seed are not scored on the same slices.
    """
    tables = []
    # Arrays with different places on an axis are an error; xarray would go on with the places that they share.
    with xr.set_options(arithmetic_join="exact"):
        for cohort, part in scores.dropna(subset="dsc").groupby("cohort", observed=True):
            cells = count_cells(part, [design.baseline, *design.others])
            found = means(cells, bootstrap_weights(cells.sizes["patient"], draws))
            table = pd.concat([_rows(*answer) for answer in ask(found, patients_in(cells), design)])
            table.insert(1, "cohort", cohort)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def ask(found: xr.Dataset, patients: xr.DataArray, design: Design) -> Iterator[Answer]:
    """Every question about one cohort, in the order of the rows.

    Parameters
    ----------
    found : Dataset
        As `means` gives it.
    patients : DataArray
        As `patients_in` gives it.
    design : Design
    """

    def dsc(approach: str, classifier: str = EITHER) -> xr.DataArray:
        return found["dsc"].sel(approach=approach, classifier=classifier, drop=True)

    def missed(approach: str) -> xr.DataArray:
        return found["missed"].sel(approach=approach, classifier=EITHER, drop=True)

    baseline, bound = design.baseline, design.upper_bound
    in_either, in_right, in_wrong = (patients.sel(classifier=kind, drop=True) for kind in (EITHER, "right", "wrong"))
    gap = dsc(baseline).sel(region="middle", drop=True) - dsc(baseline).sel(region=ENDS)
    in_gap = xr.ufuncs.minimum(in_either.sel(region="middle", drop=True), in_either.sel(region=ENDS))
    gap_low, _ = interval(gap, in_gap)

    yield Answer("gap", baseline, gap, in_gap)
    for name in (baseline, *design.others):
        yield Answer("missed", name, missed(name), in_either)
    for name in design.others:
        change = dsc(name) - dsc(baseline)
        share = 100 * change.sel(region=ENDS) / gap
        yield Answer("change", name, change, in_either)
        yield Answer("share", name, share.where(gap_low > 0), in_gap)
        if bound and name != bound:
            yield Answer("left", name, dsc(bound) - dsc(name), in_either)
    for name in design.classified:
        right, wrong = (dsc(name, kind) - dsc(baseline, kind) for kind in ("right", "wrong"))
        yield Answer("errors", name, found["errors"], in_either)
        yield Answer("right", name, right, in_right)
        yield Answer("wrong", name, wrong, in_wrong)
        if bound:
            yield Answer("right_bound", name, dsc(bound, "right") - dsc(baseline, "right"), in_right)
            yield Answer("wrong_bound", name, dsc(bound, "wrong") - dsc(baseline, "wrong"), in_wrong)
        even = xr.apply_ufunc(break_even, right, wrong)
        yield Answer("break_even", name, even, xr.ufuncs.minimum(in_right, in_wrong))


def break_even(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The classifier's errors, in % of the slices, at which an approach would equal the baseline.

    With a share e of errors, the approach changes the mean DSC by (1 - e) * right + e * wrong, which is 0 at
    e = right / (right - wrong). It is assumed that both changes stay what they are when the errors become more or
    fewer: a worse classifier errs on more slices, not on slices of another kind.

    Parameters
    ----------
    right, wrong : array
        Change against the baseline on the slices whose region the classifier names (right) or misses (wrong), in points
        of DSC %.

    Returns
    -------
    array
        Within 0 and 100; NaN where the change on wrong slices is not below that on right ones.

    Examples
    --------
    Two points are gained on right slices. If eight are lost on wrong ones, every fifth slice may be wrong; if one is
    gained there, too, all may.

    >>> break_even(right=np.array([2.0, 2.0]), wrong=np.array([-8.0, 1.0]))
    array([ 20., 100.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(right > wrong, 100 * np.clip(right / (right - wrong), 0, 1), np.nan)


def _rows(question: str, approach: str, values: xr.DataArray, patients: xr.DataArray) -> pd.DataFrame:
    observed = values.sel(draw=OBSERVED, drop=True)
    single = observed.drop_sel(seed=ALL_SEEDS)
    low, high = interval(values, patients)
    if question in PERCENTAGES:
        varies = low < high
        low, high = (bound.clip(0, 100).where(varies) for bound in (low, high))
    columns = {
        "estimate": observed.sel(seed=ALL_SEEDS, drop=True),
        "low": low,
        "high": high,
        "lowest_seed": single.min("seed"),
        "highest_seed": single.max("seed"),
        "seeds": single.sizes["seed"],
        "patients": patients,
    }
    table = xr.Dataset(columns).to_dataframe(["label", "region"]).round(DECIMALS).reset_index()
    table.insert(0, "question", question)
    table.insert(1, "approach", approach)
    return table
