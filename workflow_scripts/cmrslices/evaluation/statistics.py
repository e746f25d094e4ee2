"""Statistics of the slices' DSC by region: the gap (Table 1) and what reduces it (Table 3)."""

import numpy as np
import pandas as pd
from scipy import stats

from cmrslices.labels import REGIONS
from cmrslices.runtime.errors import InputError

WHOLE_HEART = "all"
"""Region that stands for all slices of the heart together."""


def regional_gap(scores: pd.DataFrame, significance: float) -> pd.DataFrame:
    """Mean and SD of the DSC by cohort, label and region; base and apex tested against the middle.

    Welch's unequal variances t-test (paper, section 3, experiment 1).

    Parameters
    ----------
    scores : DataFrame
        Of one approach, as `read_scores` gives them.
    significance : float
        p below it is significant.

    Returns
    -------
    DataFrame
        cohort, label, region, slices, patients, mean, sd (DSC in %), p (NaN for the middle and where
        the test is undefined), significant. A region without slices has a row with 0 slices.
    """
    scores = _percent(scores)
    rows = []
    for (cohort, label), part in scores.groupby(["cohort", "label"], observed=False):
        regions = {region: part[part["region"] == region] for region in REGIONS}
        middle = regions["middle"]["dsc"]
        for region, slices in regions.items():
            rows.append(
                {
                    "cohort": cohort,
                    "label": label,
                    "region": region,
                    "slices": len(slices),
                    "patients": slices["patient"].nunique(),
                    "mean": slices["dsc"].mean(),
                    "sd": slices["dsc"].std(),
                    "p": np.nan if region == "middle" else welch(slices["dsc"], middle),
                }
            )
    table = pd.DataFrame(rows)
    return table.assign(significant=table["p"] < significance)


def improvements(scores: pd.DataFrame, baseline: str, candidates: list[str], significance: float) -> pd.DataFrame:
    """Each approach against the baseline, on the same slices, by cohort, label and region.

    Paired t-test (paper, section 3, experiment 2).

    Parameters
    ----------
    scores : DataFrame
        Of all approaches, as `read_scores` gives them.
    baseline : str
        The approach the others are compared with.
    candidates : list of str
        The approaches that can be the best one; an upper bound is none.
    significance : float
        p below it is significant.

    Returns
    -------
    DataFrame
        cohort, approach, label, region (base, middle, apex, all), slices, mean_difference (approach -
        baseline) and sd_difference (baseline - approach) in points of DSC %, p, significant, best (the
        largest mean improvement among the candidates).

    Raises
    ------
    InputError
        When an approach is not scored on the baseline's slices.
    """
    pairs = _paired(_percent(scores), baseline)
    rows = []
    for (cohort, approach, label), part in pairs.groupby(["cohort", "approach", "label"], observed=False):
        if approach == baseline:
            continue
        for region in (*REGIONS, WHOLE_HEART):
            slices = part if region == WHOLE_HEART else part[part["region"] == region]
            ours, theirs = slices["dsc"], slices["dsc_baseline"]
            rows.append(
                {
                    "cohort": cohort,
                    "approach": approach,
                    "label": label,
                    "region": region,
                    "slices": len(slices),
                    "mean_difference": (ours - theirs).mean(),
                    "sd_difference": theirs.std() - ours.std(),
                    "p": paired(ours, theirs),
                }
            )
    numbers = dict.fromkeys(["mean_difference", "sd_difference", "p"], float)
    table = pd.DataFrame(rows, columns=["cohort", "approach", "label", "region", "slices", *numbers]).astype(numbers)
    of_candidates = table["mean_difference"].where(table["approach"].isin(candidates))
    largest = of_candidates.groupby([table["cohort"], table["label"], table["region"]], observed=False).transform("max")
    best = (of_candidates == largest) & (largest > 0)
    return table.assign(significant=table["p"] < significance, best=best)


def count_false_positives(scores: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a label in slices whose reference does not carry it.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them.

    Returns
    -------
    DataFrame
        cohort, approach, region (non-cardiac too), label, slices (that do not carry the label),
        false_positives (those with any pixel of it predicted), rate (0 to 1), mean_area_mm2 (of the false
        positives; NaN without one).
    """
    absent = scores[scores["reference_mm2"] == 0]
    area = absent["predicted_mm2"].where(absent["predicted_mm2"] > 0)
    groups = absent.assign(area=area).groupby(["cohort", "approach", "region", "label"], observed=False)["area"]
    table = groups.agg(slices="size", false_positives="count", mean_area_mm2="mean").reset_index()
    table.insert(6, "rate", table["false_positives"] / table["slices"])
    return table


def welch(first: pd.Series, second: pd.Series) -> float:
    """Welch's t-test: p; NaN where it is undefined (under two values, or no spread in either)."""
    if min(len(first), len(second)) < 2 or np.ptp(first) == np.ptp(second) == 0:
        return np.nan
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def paired(first: pd.Series, second: pd.Series) -> float:
    """Paired t-test: p; NaN where it is undefined (under two pairs, or all differences equal)."""
    difference = np.asarray(first) - np.asarray(second)
    if len(difference) < 2 or np.ptp(difference) == 0:
        return np.nan
    return float(stats.ttest_1samp(difference, 0).pvalue)


def _percent(scores: pd.DataFrame) -> pd.DataFrame:
    carried = scores.dropna(subset="dsc")
    return carried.assign(dsc=100 * carried["dsc"])


def _paired(scores: pd.DataFrame, baseline: str) -> pd.DataFrame:
    key = ["cohort", "case", "slice", "label"]
    reference = scores.loc[scores["approach"] == baseline, [*key, "dsc"]]
    for approach, part in scores.groupby("approach", observed=True):
        both = part[key].merge(reference[key], how="outer", indicator=True)
        missing = int((both["_merge"] != "both").sum())
        if missing:
            raise InputError(
                f"scores: {approach} and {baseline} differ in {missing} slices and labels that are scored; "
                "delete both folders below scores and run again"
            )
    return scores.merge(reference, on=key, suffixes=("", "_baseline"), validate="many_to_one")
