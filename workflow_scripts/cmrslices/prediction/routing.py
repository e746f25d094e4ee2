"""A router names, for every slice, the models that segment it, each with its weight (paper, section 2, approach 2).

In the paper every slice has one model. Soft routing, which the paper does not have, mixes those of several regions.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pandas as pd

from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError

Mixture = dict[str, float]
"""The models of one slice, each with its weight. The weights sum to 1; a single model has the weight 1."""
Router = Callable[[str, int], list[Mixture]]
"""From the name of a case and its number of slices to the mixture of each slice, from the base."""


def make_router(approach: dict, regions: str | Path | None) -> Router:
    """Make the router of an approach.

    Parameters
    ----------
    approach : dict
        A row of the configuration's `approaches`.
    regions : path or None
        The regions of the cohort's slices, see `read_regions`: the reference ones for the router `reference`, those
        that a router names by itself for others, and None for `constant`. With ``mixing: soft``, the file also holds
        the weights of the regions.
    """
    if regions is None:
        return constant_router(approach["model"])
    if approach.get("mixing") == "soft":
        return mixing_router(read_weights(regions), approach["models"], approach["floor"])
    return region_router(read_regions(regions), approach["models"])


def constant_router(model: str) -> Router:
    """Every slice goes to one model."""
    return lambda case, slices: [{model: 1.0}] * slices


def region_router(regions: pd.DataFrame, models: dict[str, str]) -> Router:
    """Every slice goes to the model of its region.

    Parameters
    ----------
    regions : DataFrame
        ``case``, ``slice`` and ``region`` of every slice.
    models : dict of str to str
        Region (an entry of `cmrslices.labels.SLICE_CLASSES`) to model.

    Raises
    ------
    InputError
        By the router, when the table does not hold exactly the slices of the case that it is asked for.
    """
    of_case = {case: rows.set_index("slice")["region"] for case, rows in regions.groupby("case")}
    return lambda case, slices: [{models[region]: 1.0} for region in _all_slices(of_case.get(case), case, slices)]


def mixing_router(weights: pd.DataFrame, models: dict[str, str], floor: float) -> Router:
    """Every slice goes to the models of its likely regions.

    A model has the weight of all regions that it is the model of. Models below the floor are left out, so that they
    are not run, and the weights of the others are scaled to sum to 1.

    Parameters
    ----------
    weights : DataFrame
        ``case``, ``slice`` and a column per entry of `cmrslices.labels.SLICE_CLASSES`, which sum to 1.
    models : dict of str to str
        Region (an entry of `cmrslices.labels.SLICE_CLASSES`) to model.
    floor : float
        From 0 to 1/4, so that the model with the highest weight of at most four is never left out.

    Raises
    ------
    InputError
        As by `region_router`.

    Examples
    --------
    >>> weights = pd.DataFrame(
    ...     {"case": "a", "slice": [0], "non-cardiac": 0.1, "base": 0.72, "middle": 0.18, "apex": 0.0}
    ... )
    >>> models = {"non-cardiac": "baseline", "base": "base", "middle": "middle", "apex": "apex"}
    >>> [mixture] = mixing_router(weights, models, floor=0.15)("a", 1)
    >>> print({model: round(weight, 3) for model, weight in mixture.items()})
    {'base': 0.8, 'middle': 0.2}
    """
    names = [models[region] for region in SLICE_CLASSES]
    by_model = weights.set_index(["case", "slice"])[list(SLICE_CLASSES)].T.groupby(names).sum().T
    of_case = {case: rows.droplevel("case") for case, rows in by_model.groupby("case")}

    def route(case: str, slices: int) -> list[Mixture]:
        known = _all_slices(of_case.get(case), case, slices)
        return [_above_floor(row, floor) for row in known.to_dict("records")]

    return route


def _above_floor(weights: Mixture, floor: float) -> Mixture:
    kept = {model: weight for model, weight in weights.items() if weight >= floor and weight > 0}
    total = sum(kept.values())
    return {model: weight / total for model, weight in kept.items()}


Rows = TypeVar("Rows", pd.Series, pd.DataFrame)


def _all_slices(known: Rows | None, case: str, slices: int) -> Rows:
    """Return the rows of one case, whose index is the slice, in the order of the slices, if it has all of them."""
    if known is None or sorted(known.index) != list(range(slices)):
        raise InputError(f"{case}: the regions do not match its {slices} slices; re-run the rule that made them")
    return known.sort_index()


def read_regions(file: str | Path) -> pd.DataFrame:
    """Read the region of every slice of a cohort.

    Parameters
    ----------
    file : path
        ``cohorts/<cohort>/slices.csv`` (reference), or what a router names by itself.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``.
    """
    columns = {"case": str, "slice": int, "region": str}
    return pd.read_csv(file, usecols=list(columns), dtype=columns, keep_default_na=False)


def read_weights(file: str | Path) -> pd.DataFrame:
    """Read the weight of each region, for every slice of a cohort.

    Parameters
    ----------
    file : path
        What a router names by itself.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and a column per entry of `cmrslices.labels.SLICE_CLASSES`.
    """
    columns = {"case": str, "slice": int, **dict.fromkeys(SLICE_CLASSES, float)}
    return pd.read_csv(file, usecols=list(columns), dtype=columns, keep_default_na=False)
