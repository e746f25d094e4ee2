"""Where the error of a volume comes from: base, middle, apex, and slices outside the reference's heart."""

import pandas as pd

from cmrslices.evaluation.function import PATIENT
from cmrslices.function import QUANTITIES
from cmrslices.labels import TABLE_ORDER

ALL_SLICES = "all"
"""Region of all slices of a case together, the non-cardiac ones too."""


def volume_errors(volumes: pd.DataFrame) -> pd.DataFrame:
    """Share of each region in the error of the volumes and of the LV mass.

    Parameters
    ----------
    volumes : DataFrame
        As `regional_volumes` gives them.

    Returns
    -------
    DataFrame
        cohort, approach, quantity, unit, region (of `TABLE_ORDER`, then `ALL_SLICES`), patients, mean_error and
        mean_absolute_error (means over the patients of prediction - reference in that region, and of its size; ml, or
        g for the LV mass). The mean errors of the regions sum to that of all slices, which is the bias. Where a case
        has no slice of a region, the error there is 0.

    Examples
    --------
    >>> volumes = pd.DataFrame({"region": ["base", "apex"], "reference": [50.0, 10.0], "predicted": [56.0, 8.0]})
    >>> volumes = volumes.assign(cohort="acdc", approach="baseline", patient="1", quantity="LVEDV")
    >>> volume_errors(volumes)[["region", "mean_error", "mean_absolute_error"]]
            region  mean_error  mean_absolute_error
    0         base         6.0                  6.0
    1       middle         0.0                  0.0
    2         apex        -2.0                  2.0
    3  non-cardiac         0.0                  0.0
    4          all         4.0                  4.0
    """
    error = volumes.assign(error=volumes["predicted"] - volumes["reference"]).astype({"region": str})
    wide = error.set_index([*PATIENT, "quantity", "region"])["error"].unstack("region", fill_value=0.0)
    wide = wide.reindex(columns=list(TABLE_ORDER), fill_value=0.0)
    wide[ALL_SLICES] = wide.sum(axis=1)
    keys = ["cohort", "approach", "quantity"]
    means = {
        "patients": wide.groupby(keys, observed=True).count(),
        "mean_error": wide.groupby(keys, observed=True).mean(),
        "mean_absolute_error": wide.abs().groupby(keys, observed=True).mean(),
    }
    table = pd.concat({name: part.stack() for name, part in means.items()}, axis=1).reset_index()
    order = pd.Categorical(table["quantity"], list(QUANTITIES))
    place = pd.Categorical(table["region"], [*TABLE_ORDER, ALL_SLICES])
    table = table.assign(order=order, place=place, unit=table["quantity"].map(QUANTITIES))
    table = table.sort_values(["cohort", "approach", "order", "place"], ignore_index=True)
    return table[[*keys, "unit", "region", *means]]
