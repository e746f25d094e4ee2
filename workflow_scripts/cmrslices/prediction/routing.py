"""Approach 2: a router names, for every slice, the model that segments it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import yaml

from cmrslices.cohorts.tables import read_slices
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError

Router = Callable[[str, int], list[str]]
"""From a case and its number of slices to the model of each slice, from the base."""


def constant_router(model: str) -> Router:
    """Every slice to one model."""
    return lambda case, slices: [model] * slices


def region_router(regions: pd.DataFrame, models: dict[str, str]) -> Router:
    """Every slice to the model of its region.

    Parameters
    ----------
    regions : DataFrame
        case, slice and region of every slice.
    models : dict of str to str
        Region (`SLICE_CLASSES`) to model.

    Raises
    ------
    InputError
        When a case that is asked for has other slices than the table.
    """
    of_case = {case: rows.set_index("slice")["region"] for case, rows in regions.groupby("case")}

    def route(case: str, slices: int) -> list[str]:
        known = of_case.get(case)
        if known is None or sorted(known.index) != list(range(slices)):
            raise InputError(f"{case}: the regions do not match its {slices} slices; re-run the rule that made them")
        return [models[region] for region in known.sort_index()]

    return route


def classified_regions(probabilities: pd.DataFrame) -> pd.DataFrame:
    """The most probable region of every slice: case, slice, region."""
    regions = probabilities[list(SLICE_CLASSES)].idxmax(axis="columns")
    return probabilities[["case", "slice"]].assign(region=regions)


def make_router(approach: dict, regions: list[str], cohort: str) -> Router:
    """The router of an approach, from the files that its rule gives it.

    Parameters
    ----------
    approach : dict
        A row of the configuration's `approaches`.
    regions : list of path
        Nothing for `constant`, `slices.csv` for `reference`, and for `classifier` `selected.yaml`
        with the probabilities `{network}/{cohort}.csv` of every network.
    cohort : str
        Name of the cohort.
    """
    if approach["router"] == "constant":
        return constant_router(approach["model"])
    if approach["router"] == "reference":
        return region_router(read_slices(regions[0]), approach["models"])
    network = yaml.safe_load(Path(regions[0]).read_text())["network"]
    (chosen,) = [path for path in regions[1:] if str(path).endswith(f"/{network}/{cohort}.csv")]
    return region_router(classified_regions(pd.read_csv(chosen)), approach["models"])
