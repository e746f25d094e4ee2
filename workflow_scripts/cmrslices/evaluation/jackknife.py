"""Intervals and tests over patients: the cluster jackknife.

Slices of one heart resemble each other, so the patient is the unit. Every answer is a function of sums over slices,
such as a difference of means. It is computed once with all patients and once without each of them. A patient is left
out with all slices, under all approaches and in all runs. The variance is the sum of the squared differences between
these values and the answer, times (G - 1) / G for G patients. The interval is the answer plus and minus its square
root times Student's t with G - 1 degrees of freedom. With one slice for each patient, this is the interval of the
t-test.

This is the variance estimator CV3 of J. G. MacKinnon, M. Ø. Nielsen and M. D. Webb (Cluster-robust inference: a guide
to empirical practice, *J. Econometrics* 232, 272-299, 2023). It was chosen by its coverage on resampled real slices
(``tests/benchmarks/coverage.py``): it covers as well as CR2, and better than the percentiles of a cluster bootstrap.
The symmetric t of a bootstrap covers one to two points better, but its digits change with the random draws; nothing in
the jackknife is drawn.

The intervals are about the models that were trained: they say what other patients would change. What another training
would change is shown by runs, beside them.
"""

import xarray as xr
from scipy import stats

LEVEL = 0.95
MINIMUM_PATIENTS = 5
"""With fewer, there is no interval and no test."""
DECIMALS = 9
"""Decimals kept, so that floating-point noise does not pass for a difference."""
NOBODY = 0
"""Place on the axis ``without`` at which no patient is left out."""
EACH = slice(1, None)
"""Places on the axis ``without`` at which a patient is left out."""


def leave_out_each(sums: xr.Dataset) -> xr.Dataset:
    """Sums over all patients; then over all but each of them in turn.

    Parameters
    ----------
    sums : Dataset, axis patient, and any others
        The sums over each patient's slices.

    Returns
    -------
    Dataset, axis without (1 + patients), and the others

    Examples
    --------
    >>> sums = xr.Dataset({"slices": ("patient", [4, 6, 5])})
    >>> leave_out_each(sums)["slices"].values
    array([15, 11,  9, 10])
    """
    total = sums.sum("patient")
    without = (total - sums).rename(patient="without").drop_vars("without", errors="ignore")
    return xr.concat([total.expand_dims("without"), without], "without")


def standard_error(values: xr.DataArray, patients: xr.DataArray) -> xr.DataArray:
    """Standard error of each answer.

    Parameters
    ----------
    values : DataArray, axis without (`NOBODY`, then each patient), and any others
    patients : DataArray
        Number of patients that each answer is about; it has the other axes of `values`.

    Returns
    -------
    DataArray
        NaN where there are fewer than `MINIMUM_PATIENTS`, where an answer is undefined without one of its patients, and
        where all patients say exactly the same: then nothing is known about how patients differ.

    Examples
    --------
    Five patients with one slice each: the standard deviation of 1, 2, 3, 4 and 5, divided by the root of 5.

    >>> sums = leave_out_each(xr.Dataset({"dsc": ("patient", [1.0, 2, 3, 4, 5]), "slices": ("patient", [1] * 5)}))
    >>> round(standard_error(sums["dsc"] / sums["slices"], xr.DataArray(5)).item(), 4)
    0.7071
    """
    deviation = (values.isel(without=EACH) - values.isel(without=NOBODY)).round(DECIMALS)
    variance = (deviation**2).sum("without", skipna=False) * (patients - 1) / patients
    return variance.where((patients >= MINIMUM_PATIENTS) & (variance > 0)) ** 0.5


def interval(values: xr.DataArray, patients: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Lower and upper bounds of each answer's interval; the arguments are those of `standard_error`.

    Examples
    --------
    >>> sums = leave_out_each(xr.Dataset({"dsc": ("patient", [1.0, 2, 3, 4, 5]), "slices": ("patient", [1] * 5)}))
    >>> low, high = interval(sums["dsc"] / sums["slices"], xr.DataArray(5))
    >>> round(low.item(), 2), round(high.item(), 2)
    (1.04, 4.96)
    """
    answer = values.isel(without=NOBODY)
    half = stats.t.ppf((1 + LEVEL) / 2, _freedom(patients)) * standard_error(values, patients)
    return answer - half, answer + half


def p_different(values: xr.DataArray, patients: xr.DataArray) -> xr.DataArray:
    """Test each answer against 0: p of the two-sided t-test; the arguments are those of `standard_error`."""
    t = values.isel(without=NOBODY) / standard_error(values, patients)
    return 2 * _tail(abs(t), patients)


def p_equivalent(values: xr.DataArray, patients: xr.DataArray, margin: float) -> xr.DataArray:
    """Test whether each answer lies within the margin: p of the two one-sided t-tests.

    A small p shows that the answer lies within the margin (D. J. Schuirmann, A comparison of the two one-sided tests
    procedure and the power approach, *J. Pharmacokinet. Biopharm.* 15, 657-680, 1987).

    Parameters
    ----------
    values, patients : DataArray
        As `standard_error` takes them.
    margin : float
        Above 0, in the unit of the answers.
    """
    answer, error = values.isel(without=NOBODY), standard_error(values, patients)
    return _tail((margin - abs(answer)) / error, patients)


def _tail(t: xr.DataArray, patients: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(stats.t.sf, t, _freedom(patients))


def _freedom(patients: xr.DataArray) -> xr.DataArray:
    return (patients - 1).where(patients >= MINIMUM_PATIENTS)
