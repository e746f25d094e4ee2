"""Which slices the report shows: the median one of each region, and the cases that the baseline segments worst."""

import pandas as pd

from cmrslices.labels import REGIONS


def slice_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean DSC of every slice over the labels that its reference carries.

    Parameters
    ----------
    scores : DataFrame
        Of one approach and cohort, as `read_scores` gives them.

    Returns
    -------
    DataFrame
        case, slice, region, dsc (0 to 1).
    """
    carried = scores.dropna(subset="dsc").astype({"region": str})
    return carried.groupby(["case", "slice", "region"], as_index=False)["dsc"].mean()


def median_slices(scores: pd.DataFrame) -> pd.DataFrame:
    """Find the slice of each region whose mean DSC is the median of the region; of two such slices, the lower one.

    Parameters
    ----------
    scores : DataFrame
        See `slice_means`.

    Returns
    -------
    DataFrame
        region, case, slice, dsc, slices (of the region); a row per region that has slices.
    """
    means = slice_means(scores).sort_values(["dsc", "case", "slice"])
    rows = []
    for region in REGIONS:
        part = means[means["region"] == region]
        if len(part):
            middle = part.iloc[(len(part) - 1) // 2]
            rows.append(middle.to_dict() | {"slices": len(part)})
    return pd.DataFrame(rows, columns=["region", "case", "slice", "dsc", "slices"])


def worst_cases(scores: pd.DataFrame, count: int) -> pd.DataFrame:
    """Find the cases of lowest mean DSC in each region, and the worst slice of each case in that region.

    Parameters
    ----------
    scores : DataFrame
        See `slice_means`.
    count : int
        Number of cases of each region.

    Returns
    -------
    DataFrame
        region, rank (from 1), case, slices (of the case in the region), dsc (mean over these slices and their labels),
        slice (the one of lowest mean DSC), slice_dsc.
    """
    carried = scores.dropna(subset="dsc").astype({"region": str})
    cases = carried.groupby(["region", "case"], as_index=False).agg(dsc=("dsc", "mean"), slices=("slice", "nunique"))
    worst = slice_means(scores).sort_values(["dsc", "case", "slice"]).drop_duplicates(["region", "case"])
    cases = cases.merge(worst.rename(columns={"dsc": "slice_dsc"}), on=["region", "case"])
    rows = []
    for region in REGIONS:
        part = cases[cases["region"] == region].sort_values(["dsc", "case"]).head(count)
        rows.append(part.assign(rank=range(1, len(part) + 1)))
    return pd.concat(rows, ignore_index=True)[["region", "rank", "case", "slices", "dsc", "slice", "slice_dsc"]]


def label_scores(scores: pd.DataFrame, case: str, number: int) -> dict[str, dict[str, float]]:
    """DSC of one slice: approach to label to value, NaN where the reference does not carry the label."""
    rows = scores[(scores["case"] == case) & (scores["slice"] == number)]
    return {
        approach: dict(zip(part["label"].astype(str), part["dsc"], strict=True))
        for approach, part in rows.groupby("approach", observed=True)
    }
