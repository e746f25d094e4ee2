"""How well predicted volumes, ejection fractions and masses agree with the reference."""

import numpy as np
import pandas as pd

from cmrslices.evaluation.jackknife import MINIMUM_PATIENTS
from cmrslices.function import ES_LARGER, NO_EDV, NO_PHASE

LIMITS_SD = 1.96
"""Limits of agreement are so many SDs below and above the bias; 95 % of normal differences lie between them."""
GROUP = ["cohort", "approach", "quantity", "unit"]


def volume_agreement(function: pd.DataFrame) -> pd.DataFrame:
    """Agreement with the reference by cohort, approach and quantity.

    Bias and limits of agreement are those of J. M. Bland and D. G. Altman, Statistical methods for assessing agreement
    between two methods of clinical measurement, *Lancet* 327, 307-310 (1986).

    Parameters
    ----------
    function : DataFrame
        As `patient_function` gives it.

    Returns
    -------
    DataFrame
        cohort, approach, quantity, unit; patients (who have the quantity by both), missing_phase, undefined and
        es_larger (patients with such a note); bias (mean of prediction - reference), sd (of the differences), low and
        high (95 % limits of agreement), mean_absolute_error, median_absolute_error, icc (`icc`) and r (Pearson). The
        SD needs two patients; low, high, icc and r are NaN with fewer than `MINIMUM_PATIENTS`.
    """
    rows = []
    for keys, part in function.groupby(GROUP, observed=True, sort=False):
        counts = {
            "missing_phase": part["note"].isin(NO_PHASE.values()).sum(),
            "undefined": (part["note"] == NO_EDV).sum(),
            "es_larger": (part["note"] == ES_LARGER).sum(),
        }
        both = part[["reference", "predicted"]].dropna().to_numpy()
        rows.append(dict(zip(GROUP, keys, strict=True)) | {"patients": len(both)} | counts | differences(both))
    table = pd.DataFrame(rows)
    return table.astype({name: function[name].dtype for name in ("cohort", "approach")})


def differences(both: np.ndarray) -> dict[str, float]:
    """Bias, SD, limits of agreement, absolute errors, ICC and correlation of one quantity.

    Parameters
    ----------
    both : array, shape (patients, 2)
        Reference and prediction.

    Returns
    -------
    dict
        The last columns of `volume_agreement`.

    Examples
    --------
    >>> found = differences(np.array([[100, 104], [120, 120], [140, 148], [160, 160], [180, 183.0]]))
    >>> {name: round(found[name], 2) for name in ("bias", "sd", "low", "high", "icc", "r")}
    {'bias': 3.0, 'sd': 3.32, 'low': -3.5, 'high': 9.5, 'icc': 0.99, 'r': 0.99}
    """
    patients, error = len(both), both[:, 1] - both[:, 0]
    bias, sd = (error.mean() if patients else np.nan), (error.std(ddof=1) if patients > 1 else np.nan)
    limit = LIMITS_SD * sd if patients >= MINIMUM_PATIENTS else np.nan
    enough = patients >= MINIMUM_PATIENTS
    varied = enough and bool(np.ptp(both, axis=0).all())
    return {
        "bias": float(bias),
        "sd": float(sd),
        "low": float(bias - limit),
        "high": float(bias + limit),
        "mean_absolute_error": float(np.abs(error).mean()) if patients else np.nan,
        "median_absolute_error": float(np.median(np.abs(error))) if patients else np.nan,
        "icc": icc(both) if enough else np.nan,
        "r": float(np.corrcoef(both.T)[0, 1]) if varied else np.nan,
    }


def icc(ratings: np.ndarray) -> float:
    """Intraclass correlation for absolute agreement of single measurements, ICC(2,1).

    P. E. Shrout and J. L. Fleiss, Intraclass correlations: uses in assessing rater reliability, *Psychol. Bull.* 86,
    420-428 (1979), case 2: patients and raters are both random samples. A bias of a rater lowers it.

    Parameters
    ----------
    ratings : array, shape (patients, raters)
        At least two of each.

    Returns
    -------
    float
        1 where all raters agree; NaN where all ratings are equal.
    """
    patients, raters = ratings.shape
    if np.ptp(ratings) == 0:
        return np.nan
    centred = ratings - ratings.mean()
    of_patient, of_rater = centred.mean(axis=1), centred.mean(axis=0)
    residual = centred - of_patient[:, None] - of_rater
    between_patients = raters * (of_patient**2).sum() / (patients - 1)
    between_raters = patients * (of_rater**2).sum() / (raters - 1)
    error = (residual**2).sum() / ((patients - 1) * (raters - 1))
    total = between_patients + (raters - 1) * error + raters * (between_raters - error) / patients
    return float((between_patients - error) / total)
