"""A router names, for every slice, the model that segments it (paper, section 2, approach 2)."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cmrslices.runtime.errors import InputError

Router = Callable[[str, int], list[str]]
"""From the name of a case and its number of slices to the model of each slice, from the base."""


def make_router(approach: dict, regions: str | Path | None) -> Router:
    """Make the router of an approach.

    Parameters
    ----------
    approach : dict
        A row of the configuration's `approaches`.
    regions : path or None
        The regions of the cohort's slices, see `read_regions`: the reference ones for the router `reference`, those by
        the classifiers for `classifier`, and None for `constant`.
    """
    if regions is None:
        return constant_router(approach["model"])
    return region_router(read_regions(regions), approach["models"])


def constant_router(model: str) -> Router:
    """Every slice goes to one model."""
    return lambda case, slices: [model] * slices


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

    def route(case: str, slices: int) -> list[str]:
        known = of_case.get(case)
        if known is None or sorted(known.index) != list(range(slices)):
            raise InputError(f"{case}: the regions do not match its {slices} slices; re-run the rule that made them")
        return [models[region] for region in known.sort_index()]

    return route


def read_regions(file: str | Path) -> pd.DataFrame:
    """Read the region of every slice of a cohort.

    Parameters
    ----------
    file : path
        ``cohorts/<cohort>/slices.csv`` (reference), or a file below ``classifiers/regions`` (classifiers).

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``.
    """
    columns = {"case": str, "slice": int, "region": str}
    return pd.read_csv(file, usecols=list(columns), dtype=columns, keep_default_na=False)
