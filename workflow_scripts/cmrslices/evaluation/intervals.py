"""Intervals of answers over patients and seeds.

Every answer is a difference, or a ratio, of mean slice DSCs. The variance of its estimate has two parts.

- Patients: a bootstrap draws patients. Each drawn patient brings all slices, under all approaches and in all seeds that
  test the patient. So approaches are compared on the same patients. Seeds may share their test patients (an external
  cohort) or have different ones (the training cohort, whose splits follow the seed). Each draw has one patient fewer
  than the cohort: with as many, the variance of a few patients would come out too small (J. N. K. Rao and C. F. J. Wu,
  Resampling inference with complex survey data, *J. Am. Stat. Assoc.* 83, 231-241, 1988).
- Seeds: the variance of the single seeds' estimates, less the part of it that the same bootstrap finds for their
  patients, divided by the number of seeds. A single seed has no such part.

The interval is the estimate plus and minus Student's t times the square root of the summed variance, with the degrees
of freedom of Welch and Satterthwaite. The percentiles of a bootstrap that also draws seeds would be wrong: they never
reach beyond the lowest and the highest seed, so that with three seeds that differ by chance alone, every fourth
interval would exclude 0.
"""

import numpy as np
import xarray as xr
from scipy import stats

LEVEL = 0.95
DRAWS = 4000
OBSERVED = 0
"""Place on the axis ``draw`` of the patients as they are, each counted once."""
DRAWN = slice(1, None)
"""Places on the axis ``draw`` of the bootstrap's draws."""
ALL_SEEDS = "all"
"""Place on the axis ``seed`` of all seeds together."""


def bootstrap_weights(patients: int, draws: int) -> xr.DataArray:
    """How often each patient counts: once at `OBSERVED`, then as often as it is drawn.

    Returns
    -------
    DataArray, axes draw (1 + draws), patient
        The same for the same arguments. A single patient is never drawn.

    Examples
    --------
    >>> weights = bootstrap_weights(patients=3, draws=2)
    >>> weights.sel(draw=OBSERVED).values
    array([1., 1., 1.])
    >>> weights.sum("patient").values
    array([3., 2., 2.])
    """
    drawn = np.random.default_rng(0).multinomial(patients - 1, np.full(patients, 1 / patients), draws)
    weights = np.concatenate([np.ones((1, patients)), drawn])
    return xr.DataArray(weights, {"draw": np.arange(1 + draws)}, ("draw", "patient"))


def interval(values: xr.DataArray, patients: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Bounds of the interval of each estimate.

    Parameters
    ----------
    values : DataArray, axes seed (each, and `ALL_SEEDS`), draw (`OBSERVED`, and the bootstrap's), and any others
        Draws in which a value is undefined do not count.
    patients : DataArray
        Number of patients that each estimate is about; it has the other axes of `values`.

    Returns
    -------
    DataArray
        Lower bounds, with the other axes of `values`. A single patient gives no interval (NaN); neither does an
        estimate that is undefined for one of the seeds.
    DataArray
        Upper bounds.

    Examples
    --------
    One seed, ten patients, three draws with a standard deviation of 2: the bounds lie 2 times 2.26 (Student's t with 9
    degrees of freedom) below and above the estimate.

    >>> values = xr.DataArray([[50.0, 48.0, 50.0, 52.0]] * 2, {"seed": [1, ALL_SEEDS], "draw": range(4)})
    >>> low, high = interval(values, xr.DataArray(10))
    >>> round(low.item(), 2), round(high.item(), 2)
    (45.48, 54.52)
    """
    together, single = values.sel(seed=ALL_SEEDS, drop=True), values.drop_sel(seed=ALL_SEEDS)
    estimate = together.sel(draw=OBSERVED, drop=True)
    seeds = single.sizes["seed"]
    seed_freedom = max(seeds - 1, 1)
    of_patients = _variance(together)
    between = of_seeds = xr.zeros_like(estimate)
    if seeds > 1:
        between = single.sel(draw=OBSERVED, drop=True).var("seed", ddof=1, skipna=False)
        # The part of it that comes from the patients: how much the draws move the seeds against each other.
        deviation = single - single.mean("seed", skipna=False)
        from_patients = _variance(deviation).sum("seed", skipna=False) / seed_freedom
        of_seeds = (between - from_patients).clip(min=0) / seeds
    variance = of_patients + of_seeds
    seed_part = (between / seeds).where(of_seeds > 0, 0) ** 2 / seed_freedom
    freedom = variance**2 / (of_patients**2 / (patients - 1) + seed_part)
    freedom = freedom.clip(min=seed_freedom).fillna(seed_freedom)
    half = xr.apply_ufunc(stats.t.ppf, (1 + LEVEL) / 2, freedom) * np.sqrt(variance)
    half = half.where(patients > 1)
    return estimate - half, estimate + half


def _variance(values: xr.DataArray) -> xr.DataArray:
    """Variance over the bootstrap's draws; NaN where fewer than two of them are defined."""
    return values.sel(draw=DRAWN).var("draw", ddof=1)
