"""The DSC from base to apex: every case interpolated to the same positions."""

import numpy as np
import pandas as pd


def grid(points: int) -> np.ndarray:
    """Positions from 0 (base) to 1 (apex), rounded as in slices.csv so that slices on a point meet it exactly."""
    return (np.arange(points) / (points - 1)).round(6)


def case_profile(position: np.ndarray, dsc: np.ndarray, points: int) -> np.ndarray:
    """A case's slice DSCs, interpolated linearly between the slices (paper, section 2, evaluation metrics).

    Parameters
    ----------
    position : array, ascending
        Of the slices whose reference carries the label, from 0 (base) to 1 (apex).
    dsc : array of the same shape
    points : int
        Of the `grid`.

    Returns
    -------
    array, shape (points,)
        NaN before the first slice and after the last: nothing is extrapolated.
    """
    return np.interp(grid(points), position, dsc, left=np.nan, right=np.nan)


def profiles(scores: pd.DataFrame, points: int) -> pd.DataFrame:
    """Mean and spread over the cases, at every position, of each approach and label.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them.
    points : int
        Positions from base to apex.

    Returns
    -------
    DataFrame
        approach, label, position (0 base to 1 apex), mean, sd, q25, median, q75 (DSC in %), cases (that
        have the label on both sides of the position).
    """
    carried = scores.dropna(subset="dsc").sort_values(["case", "position"])
    parts = {}
    for key, part in carried.groupby(["approach", "label"], observed=True):
        cases = [
            case_profile(case["position"].to_numpy(), 100 * case["dsc"].to_numpy(), points)
            for _, case in part.groupby("case")
        ]
        parts[key] = _spread(pd.DataFrame(cases))
    return pd.concat(parts, names=["approach", "label"]).reset_index(["approach", "label"])


def region_bounds(scores: pd.DataFrame) -> tuple[float, float]:
    """Positions where base meets middle and middle meets apex: the median over the cases.

    A case's bound lies halfway between the two slices that it separates; NaN where no case has one.
    """
    slices = scores.drop_duplicates(["case", "slice"])
    ends = slices.groupby(["case", "region"], observed=False)["position"].agg(["min", "max"]).unstack("region")
    base = (ends["max", "base"] + ends["min", "middle"]) / 2
    apex = (ends["max", "middle"] + ends["min", "apex"]) / 2
    return float(base.median()), float(apex.median())


def _spread(cases: pd.DataFrame) -> pd.DataFrame:
    quartiles = cases.quantile([0.25, 0.5, 0.75])
    return pd.DataFrame(
        {
            "position": grid(cases.shape[1]),
            "mean": cases.mean(),
            "sd": cases.std(),
            "q25": quartiles.loc[0.25],
            "median": quartiles.loc[0.5],
            "q75": quartiles.loc[0.75],
            "cases": cases.count(),
        }
    )
