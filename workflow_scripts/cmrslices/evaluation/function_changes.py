"""How large the errors of volumes, ejection fractions and LV mass are, and what a remedy changes about them.

The error of a patient is |prediction - reference|. The patient is the unit: see `jackknife`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd
import xarray as xr

from cmrslices.evaluation.jackknife import DECIMALS, jackknife, leave_out_each
from cmrslices.evaluation.over_runs import about_runs
from cmrslices.evaluation.statistics import holm
from cmrslices.function import QUANTITIES

ASKED = "asked"
"""Axis of the questions about the approaches, in the order in which they are asked."""
COLUMNS = [
    *("question", "cohort", "approach", "versus", "quantity", "unit", "estimate", "low", "high", "p", "p_holm"),
    *("runs", "run_sd", "lowest_run", "highest_run", "patients"),
]


class Asked(NamedTuple):
    """A question about an approach; `versus` is what it is compared with, and empty if there is nothing."""

    question: str
    approach: str
    versus: str = ""


def function_changes(function: pd.DataFrame, baseline: str, primary: Mapping[str, str]) -> pd.DataFrame:
    """The errors of every approach, and how they differ from the baseline's and from those of its control.

    Parameters
    ----------
    function : DataFrame
        As `patient_function` gives it, of all approaches, with the run in the column run.
    baseline : str
        The approach that the others are compared with.
    primary : dict of str to str
        Each approach of the primary comparisons to its control.

    Returns
    -------
    DataFrame
        question, cohort, approach, versus, quantity, unit, estimate, low, high, p (against 0), p_holm (p after Holm's
        correction over the answers to the question), runs (those with such patients), run_sd, lowest_run, highest_run
        (of the estimates of single runs), patients. The questions:

        - ``error``: the mean absolute error of the approach.
        - ``change``: that of the approach minus that of the baseline; below 0 is better.
        - ``primary``: that of a remedy minus that of its control (`versus`).

        A patient counts who has the quantity by the reference and by the approaches that are compared. If a patient is
        tested in several runs, all of them count.

    Examples
    --------
    Of six patients, the other approach halves every error.

    >>> rows = [("acdc", name, f"p{k}", "LVEDV", 100.0, 100.0 + k * size, "run")
    ...         for name, size in (("baseline", 2), ("other", 1)) for k in range(1, 7)]
    >>> columns = ["cohort", "approach", "patient", "quantity", "reference", "predicted", "run"]
    >>> found = function_changes(pd.DataFrame(rows, columns=columns), "baseline", {})
    >>> found[["question", "approach", "estimate", "low", "high", "patients"]].round(2)
      question  approach  estimate   low   high  patients
    0    error  baseline       7.0  3.07  10.93         6
    1    error     other       3.5  1.54   5.46         6
    2   change     other      -3.5 -5.46  -1.54         6
    """
    names = [str(name) for name in function["approach"].unique()]
    asked = [*_questions(names, baseline, primary)]
    error = (function["predicted"] - function["reference"]).abs()
    keys = function[["cohort", "approach", "quantity", "run", "patient"]].astype(str)
    parts = [
        _answers(part.set_index(["approach", "quantity", "run", "patient"])["error"].to_xarray(), asked, str(cohort))
        for cohort, part in keys.assign(error=error).groupby("cohort", sort=False)
    ]
    found = pd.concat(parts, ignore_index=True)
    found["p_holm"] = found.groupby("question")["p"].transform(holm)
    return found[COLUMNS]


def _questions(names: list[str], baseline: str, primary: Mapping[str, str]) -> Iterator[Asked]:
    yield from (Asked("error", name) for name in names)
    yield from (Asked("change", name, baseline) for name in names if name != baseline)
    yield from (Asked("primary", name, control) for name, control in primary.items())


def _compared(error: xr.DataArray, asked: Asked) -> xr.DataArray:
    """Error of every patient by an approach, minus that by the one that it is compared with."""
    ours = error.sel(approach=asked.approach, drop=True)
    return ours - error.sel(approach=asked.versus, drop=True) if asked.versus else ours


def _answers(error: xr.DataArray, asked: list[Asked], cohort: str) -> pd.DataFrame:
    """Rows of the answers about one cohort; `error` has the axes approach, quantity, run and patient."""
    error = error.reindex(quantity=[name for name in QUANTITIES if name in error["quantity"]])
    differences = xr.concat([_compared(error, one) for one in asked], ASKED)
    counted = xr.Dataset({"error": differences, "tested": differences.notnull().astype(int)}).sum("run")
    sums, patients = leave_out_each(counted), (counted["tested"] > 0).sum("patient")
    found, single = jackknife(sums["error"] / sums["tested"], patients), differences.mean("patient")
    low, high = found.interval()
    columns = {
        "estimate": found.answer,
        "low": low,
        "high": high,
        "p": found.p_different(),
        **about_runs(single),
        "patients": patients,
    }
    table = xr.Dataset(columns).to_dataframe([ASKED, "quantity"]).reset_index().dropna(subset="estimate")
    of_rows = pd.DataFrame([asked[number] for number in table[ASKED]], index=table.index, columns=Asked._fields)
    numbers = dict.fromkeys(["estimate", "low", "high", "run_sd", "lowest_run", "highest_run"], DECIMALS)
    rows = table.round(numbers).join(of_rows)
    tested = rows["p"].where(rows["versus"] != "")
    return rows.assign(cohort=cohort, unit=rows["quantity"].map(QUANTITIES), p=tested)
