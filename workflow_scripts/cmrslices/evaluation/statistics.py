"""Statistics of the slices' DSC by region: the gap (Table 1), what reduces it (Table 3), and false positives."""

import numpy as np
import pandas as pd
from scipy import stats

from cmrslices.evaluation.jackknife import DECIMALS
from cmrslices.labels import REGIONS
from cmrslices.runtime.errors import InputError

WHOLE_HEART = "all"
"""Region of all slices of the heart together."""
REGION_TITLES = {WHOLE_HEART: "whole heart"}
"""Names of regions where readers see others than the tables' columns have."""
LEVEL_OF_MARKS = 0.05
"""A corrected p below it is a finding that holds."""


def regional_gap(scores: pd.DataFrame, significance: float) -> pd.DataFrame:
    """Mean and SD of the DSC by cohort, label and region; base and apex tested against the middle.

    Welch's unequal variances t-test (paper, section 3, experiment 1).

    Parameters
    ----------
    scores : DataFrame
        Of one approach, as `read_scores` gives them, under one scoring rule.
    significance : float
        p below it is significant.

    Returns
    -------
    DataFrame
        cohort, label, region, slices, patients, mean, sd (DSC in %), p (NaN for the middle and where
        the test is undefined), significant. A region without slices has a row with 0 slices.

    Examples
    --------
    >>> scores = pd.DataFrame({"region": ["middle"] * 3 + ["apex"] * 3, "dsc": [0.8, 0.9, 1.0, 0.6, 0.5, 0.4]})
    >>> scores = scores.assign(cohort="acdc", label="LVM", patient=range(6))
    >>> regional_gap(scores, significance=0.01)[["region", "slices", "mean", "sd", "p", "significant"]].round(3)
       region  slices  mean    sd      p  significant
    0    base       0   NaN   NaN    NaN        False
    1  middle       3  90.0  10.0    NaN        False
    2    apex       3  50.0  10.0  0.008         True
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
    """Each approach against the baseline by cohort, label and region.

    Paired t-test (paper, section 3, experiment 2). The scoring rules ``carried`` and ``all`` give both a DSC for the
    same slices. Under ``union`` the means and the SDs are those of each approach's own slices, and the test takes the
    slices for which both have a DSC.

    Parameters
    ----------
    scores : DataFrame
        Of all approaches, as `read_scores` gives them, under one scoring rule.
    baseline : str
        The approach that the others are compared with.
    candidates : list of str
        The approaches that can be the best one; an upper bound is not among them.
    significance : float
        p below it is significant.

    Returns
    -------
    DataFrame
        cohort, approach, label, region (base, middle, apex, all), slices (for which both have a DSC), mean_difference
        (approach - baseline) and sd_difference (baseline - approach) in points of DSC %, so that positive is better for
        both; p, significant, best (the largest mean improvement among the candidates).

    Raises
    ------
    InputError
        When an approach is not scored on the baseline's slices.

    Examples
    --------
    >>> slices = pd.DataFrame({"cohort": "acdc", "label": "LVM", "region": "apex", "case": "c", "slice": range(3)})
    >>> baseline = slices.assign(approach="baseline", dsc=[0.5, 0.6, 0.7])
    >>> other = slices.assign(approach="other", dsc=[0.6, 0.7, 0.9])
    >>> table = improvements(pd.concat([baseline, other]), "baseline", ["other"], significance=0.1)
    >>> columns = ["region", "slices", "mean_difference", "sd_difference", "p", "significant", "best"]
    >>> table.loc[table["region"] == "apex", columns].round(3)
      region  slices  mean_difference  sd_difference      p  significant  best
    2   apex       3           13.333         -5.275  0.057         True  True
    """
    pairs = _paired(scores.assign(dsc=100 * scores["dsc"]), baseline)
    rows = []
    for (cohort, approach, label), part in pairs.groupby(["cohort", "approach", "label"], observed=False):
        if approach == baseline:
            continue
        for region in (*REGIONS, WHOLE_HEART):
            slices = part if region == WHOLE_HEART else part[part["region"] == region]
            ours, theirs = slices["dsc"], slices["dsc_baseline"]
            in_both = slices.dropna(subset=["dsc", "dsc_baseline"])
            rows.append(
                {
                    "cohort": cohort,
                    "approach": approach,
                    "label": label,
                    "region": region,
                    "slices": len(in_both),
                    "mean_difference": round(ours.mean() - theirs.mean(), DECIMALS),
                    "sd_difference": theirs.std() - ours.std(),
                    "p": paired(in_both["dsc"], in_both["dsc_baseline"]),
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

    Examples
    --------
    The reference of four slices does not carry the label; in two of them some of it is predicted.

    >>> slices = pd.DataFrame({"reference_mm2": [0, 0, 0, 0, 900], "predicted_mm2": [0, 50, 0, 150, 800]})
    >>> slices = slices.assign(cohort="acdc", approach="baseline", region="apex", label="RVBP")
    >>> count_false_positives(slices)[["slices", "false_positives", "rate", "mean_area_mm2"]]
       slices  false_positives  rate  mean_area_mm2
    0       4                2   0.5          100.0
    """
    absent = scores[scores["reference_mm2"] == 0]
    area = absent["predicted_mm2"].where(absent["predicted_mm2"] > 0)
    groups = absent.assign(area=area).groupby(["cohort", "approach", "region", "label"], observed=False)["area"]
    table = groups.agg(slices="size", false_positives="count", mean_area_mm2="mean").reset_index()
    table.insert(6, "rate", table["false_positives"] / table["slices"])
    return table


def welch(first: pd.Series, second: pd.Series) -> float:
    """Welch's t-test of two groups of slices that may differ in their variance.

    Parameters
    ----------
    first, second : Series
        DSC of the slices of one region each.

    Returns
    -------
    float
        p; NaN where the test is undefined: a group has fewer than two values, or neither has any spread.

    Examples
    --------
    >>> apex, middle = pd.Series([40.0, 50.0, 60.0]), pd.Series([80.0, 90.0, 100.0])
    >>> round(welch(apex, middle), 3)
    0.008
    """
    if min(len(first), len(second)) < 2 or np.ptp(first) == np.ptp(second) == 0:
        return np.nan
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def paired(first: pd.Series, second: pd.Series) -> float:
    """Paired t-test of two approaches on the same slices.

    Parameters
    ----------
    first, second : Series
        DSC of the same slices in the same order.

    Returns
    -------
    float
        p; NaN where the test is undefined: there are fewer than two pairs, or all differences are equal.

    Examples
    --------
    >>> round(paired(pd.Series([60.0, 70.0, 90.0]), pd.Series([50.0, 60.0, 70.0])), 3)
    0.057
    """
    difference = np.asarray(first) - np.asarray(second)
    if len(difference) < 2 or np.ptp(difference) == 0:
        return np.nan
    return float(stats.ttest_1samp(difference, 0).pvalue)


def holm(p: pd.Series) -> pd.Series:
    """Correct the p of a family of tests so that the chance of any false finding among them keeps its level.

    Holm's step-down procedure (S. Holm, A simple sequentially rejective multiple test procedure, *Scand. J. Stat.* 6,
    65-70, 1979).

    Parameters
    ----------
    p : Series
        A test without p (NaN) is not of the family.

    Returns
    -------
    Series
        The corrected p, at most 1; NaN where p is.

    Examples
    --------
    >>> holm(pd.Series([0.01, 0.04, 0.03, np.nan])).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    ordered = p.dropna().sort_values()
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1).reindex(p.index)


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
