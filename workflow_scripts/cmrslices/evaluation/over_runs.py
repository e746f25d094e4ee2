"""Whether other trainings would say the same: answers with an interval over the runs, in place of one over patients.

The jackknife leaves patients out and keeps the trainings, so its intervals are about the models that were trained. Here
the run is the unit. Each run has trainings of its own, and the SD of what the runs answer holds all that differs
between them: the trainings, and the test patients where these differ, as in the folds of a cross-validation.

The runs are taken to be independent. Folds share most of their training patients, so their answers can resemble each
other, and the interval then tends to be too narrow (C. Nadeau and Y. Bengio, Inference for the generalization error,
*Machine Learning* 52, 239-281, 2003). Runs that test the same patients say nothing about other patients.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from cmrslices.evaluation.jackknife import LEVEL
from cmrslices.evaluation.statistics import holm

MINIMUM_RUNS = 3
"""With two runs, the interval would reach nine SDs to each side."""
BRACKETS = (
    f"Brackets: {LEVEL:.0%} intervals over the runs (Student's t, one degree of freedom less than runs). They hold all "
    "that differs between runs: the trainings, and the patients where runs test different ones."
)
"""How the intervals are read, for captions."""


def about_runs(single: xr.DataArray) -> dict[str, xr.DataArray]:
    """What stands beside an estimate about the runs.

    Parameters
    ----------
    single : DataArray, axis run, and any others
        The estimates of single runs; NaN where a run has nothing to say.

    Returns
    -------
    dict of str to DataArray, the other axes
        runs (those that say something), run_sd (NaN for one run), lowest_run, highest_run.

    Examples
    --------
    >>> {name: value.item() for name, value in about_runs(xr.DataArray([1.0, 3.0, 2.0], dims="run")).items()}
    {'runs': 3, 'run_sd': 1.0, 'lowest_run': 1.0, 'highest_run': 3.0}
    """
    lowest, runs = single.min("run"), single.notnull().sum("run")
    sd = single.std("run", ddof=1) if single.sizes["run"] > 1 else xr.full_like(lowest, np.nan)
    return {"runs": runs, "run_sd": sd, "lowest_run": lowest, "highest_run": single.max("run")}


def over_runs(answered: pd.DataFrame, family: list[str]) -> pd.DataFrame:
    """Answers with Student's interval and test over the runs.

    Parameters
    ----------
    answered : DataFrame
        A row per answer: estimate (of all runs together), low and high (over patients), runs, and run_sd (SD of the
        estimates of single runs).
    family : list of str
        Columns; the tests of the rows that agree in them are corrected together.

    Returns
    -------
    DataFrame
        The same columns, with low and high over the runs: the estimate plus and minus run_sd over the root of the
        runs, times Student's t with one degree of freedom less than runs. p is against 0, and p_holm is p after Holm's
        correction. Without rows of fewer than `MINIMUM_RUNS` runs, and without those of too few patients for an
        interval over patients.

    Examples
    --------
    Three runs answer 1, 2 and 3 points, so the SD is 1.

    >>> row = {"question": "change", "estimate": 2.0, "low": 1.5, "high": 2.5, "runs": 3, "run_sd": 1.0}
    >>> (told,) = over_runs(pd.DataFrame([row]), ["question"]).itertuples()
    >>> round(told.low, 2), round(told.high, 2)
    (-0.48, 4.48)
    """
    rows = answered[answered["low"].notna() & (answered["runs"] >= MINIMUM_RUNS)]
    standard_error = (rows["run_sd"] / np.sqrt(rows["runs"])).where(rows["run_sd"] > 0)
    freedom = rows["runs"] - 1
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * standard_error
    p = 2 * stats.t.sf(abs(rows["estimate"] / standard_error), freedom)
    told = rows.assign(low=rows["estimate"] - half, high=rows["estimate"] + half, p=p)
    return told.assign(p_holm=told.groupby(family)["p"].transform(holm))
