"""The DSC from base to apex: every case interpolated to the same positions."""

import numpy as np
import pandas as pd
import xarray as xr

from cmrslices.evaluation.jackknife import jackknife, leave_out_each


def grid(points: int) -> np.ndarray:
    """Positions from 0 (base) to 1 (apex), rounded as in slices.csv so that slices meet them exactly.

    Examples
    --------
    >>> grid(5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    return (np.arange(points) / (points - 1)).round(6)


def case_profile(position: np.ndarray, dsc: np.ndarray, points: int) -> np.ndarray:
    """A case's slice DSCs, interpolated linearly between the slices (paper, section 2, evaluation metrics).

    Parameters
    ----------
    position : array, ascending
        Of the slices whose reference carries the label, from 0 (base) to 1 (apex).
    dsc : array of the same shape
    points : int
        Number of positions in the `grid`.

    Returns
    -------
    array, shape (points,)
        DSC at each position of the grid; NaN before the first slice and after the last: nothing is extrapolated.

    Examples
    --------
    The first of five slices does not carry the label.

    >>> position, dsc = np.array([0.25, 0.5, 0.75, 1.0]), np.array([90.0, 94.0, 92.0, 70.0])
    >>> case_profile(position, dsc, points=9)
    array([nan, nan, 90., 92., 94., 93., 92., 81., 70.])
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
        approach, label, position (0 base to 1 apex), mean, low, high (the interval of the mean over patients), sd, q25,
        median, q75 (DSC in %), cases (those that carry the label in a slice on each side of the position, or at it).
    """
    carried = scores.dropna(subset="dsc").sort_values(["case", "position"])
    parts = {}
    for key, part in carried.groupby(["approach", "label"], observed=True):
        cases = {
            (case["patient"].iloc[0], name): case_profile(
                case["position"].to_numpy(), 100 * case["dsc"].to_numpy(), points
            )
            for name, case in part.groupby("case")
        }
        parts[key] = _spread(pd.DataFrame.from_dict(cases, orient="index"))
    return pd.concat(parts, names=["approach", "label"]).reset_index(["approach", "label"])


def region_bounds(scores: pd.DataFrame) -> tuple[float, float]:
    """Positions where base meets middle and where middle meets apex: the median over the cases.

    The bound of a case lies halfway between the two slices that it separates. It is NaN where no case has one.
    """
    slices = scores.drop_duplicates(["case", "slice"])
    ends = slices.groupby(["case", "region"], observed=False)["position"].agg(["min", "max"]).unstack("region")
    base = (ends["max", "base"] + ends["min", "middle"]) / 2
    apex = (ends["max", "middle"] + ends["min", "apex"]) / 2
    return float(base.median()), float(apex.median())


def _spread(cases: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of the columns; the first level of the rows' index is the patient."""
    quartiles = cases.quantile([0.25, 0.5, 0.75])
    low, high = _interval(cases)
    return pd.DataFrame(
        {
            "position": grid(cases.shape[1]),
            "mean": cases.mean(),
            "low": low,
            "high": high,
            "sd": cases.std(),
            "q25": quartiles.loc[0.25],
            "median": quartiles.loc[0.5],
            "q75": quartiles.loc[0.75],
            "cases": cases.count(),
        }
    )


def _interval(cases: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the mean of each column, over patients."""
    patients = [patient for patient, _ in cases.index]
    by_patient = cases.set_axis(pd.Index(patients)).groupby(level=0, sort=False)
    axes = ("patient", "position")
    sums = leave_out_each(xr.Dataset({"dsc": (axes, by_patient.sum()), "cases": (axes, by_patient.count())}))
    means = sums["dsc"] / sums["cases"].where(sums["cases"] > 0)
    counts = xr.DataArray((by_patient.count() > 0).sum().to_numpy(), dims="position")
    low, high = jackknife(means, counts).interval()
    return low.to_numpy(), high.to_numpy()
