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

from typing import NamedTuple

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


class Estimate(NamedTuple):
    """Answers, and how far other patients would move them.

    Attributes
    ----------
    answer : DataArray
        With all patients.
    standard_error : DataArray
        NaN where there are fewer patients than `MINIMUM_PATIENTS`, where an answer is undefined without one of its
        patients, and where all patients say exactly the same: then nothing is known about how patients differ.
    patients : DataArray of int
        Patients that each answer is about.
    """

    answer: xr.DataArray
    standard_error: xr.DataArray
    patients: xr.DataArray

    def interval(self) -> tuple[xr.DataArray, xr.DataArray]:
        """Lower and upper bounds of each answer's interval."""
        half = stats.t.ppf((1 + LEVEL) / 2, self._freedom()) * self.standard_error
        return self.answer - half, self.answer + half

    def p_different(self) -> xr.DataArray:
        """Test each answer against 0: p of the two-sided t-test."""
        return 2 * self._tail(abs(self.answer / self.standard_error))

    def p_equivalent(self, margin: float) -> xr.DataArray:
        """Test whether each answer lies within the margin: p of the two one-sided t-tests.

        A small p shows that the answer lies within the margin (D. J. Schuirmann, A comparison of the two one-sided
        tests procedure and the power approach, *J. Pharmacokinet. Biopharm.* 15, 657-680, 1987).

        Parameters
        ----------
        margin : float
            Above 0, in the unit of the answers.
        """
        return self._tail((margin - abs(self.answer)) / self.standard_error)

    def _tail(self, t: xr.DataArray) -> xr.DataArray:
        return xr.apply_ufunc(stats.t.sf, t, self._freedom())

    def _freedom(self) -> xr.DataArray:
        return (self.patients - 1).where(self.patients >= MINIMUM_PATIENTS)


def jackknife(values: xr.DataArray, patients: xr.DataArray) -> Estimate:
    """Estimate answers from what they are with all patients and without each of them.

    Parameters
    ----------
    values : DataArray, axis without (`NOBODY`, then each patient), and any others
    patients : DataArray of int
        Number of patients that each answer is about; it has the other axes of `values`.

    Returns
    -------
    Estimate
        With the other axes of `values`.

    Examples
    --------
    Five patients with one slice each: the standard error is the standard deviation of 1, 2, 3, 4 and 5, divided by the
    root of 5.

    >>> sums = leave_out_each(xr.Dataset({"dsc": ("patient", [1.0, 2, 3, 4, 5]), "slices": ("patient", [1] * 5)}))
    >>> found = jackknife(sums["dsc"] / sums["slices"], xr.DataArray(5))
    >>> round(found.standard_error.item(), 4)
    0.7071
    >>> low, high = found.interval()
    >>> round(low.item(), 2), round(high.item(), 2)
    (1.04, 4.96)
    """
    answer = values.isel(without=NOBODY)
    deviation = (values.isel(without=EACH) - answer).round(DECIMALS)
    variance = (deviation**2).sum("without", skipna=False) * (patients - 1) / patients
    return Estimate(answer, variance.where((patients >= MINIMUM_PATIENTS) & (variance > 0)) ** 0.5, patients)
