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
from scipy import stats

from cmrslices.evaluation.answers import EVERYONE
from cmrslices.evaluation.cells import ALL_LABELS
from cmrslices.evaluation.jackknife import LEVEL
from cmrslices.evaluation.rule_agreement import FINDING
from cmrslices.evaluation.statistics import holm

QUESTIONS = ["primary", "gap", "change"]
MINIMUM_RUNS = 3
"""With two runs, the interval would reach nine SDs to each side."""


def over_runs(found: pd.DataFrame) -> pd.DataFrame:
    """Gaps and differences, as the mean over the labels, with Student's interval over the runs.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.

    Returns
    -------
    DataFrame
        scoring, question (`QUESTIONS`), cohort, approach, versus, label, region, estimate (of all runs together), low
        and high (the estimate plus and minus the runs' SD over the root of their number, times Student's t with one
        degree of freedom less than runs), p_holm (p against 0, after Holm's correction over the answers of the scoring
        rule and question). Without rows of fewer than `MINIMUM_RUNS` runs, and without those of too few patients for
        an interval over patients.

    Examples
    --------
    Three runs answer 1, 2 and 3 points, so the SD is 1.

    >>> one = {"scoring": "carried", "question": "change", "cohort": "acdc", "subgroup": EVERYONE, "approach": "joint"}
    >>> one |= {"versus": "baseline", "label": ALL_LABELS, "region": "apex", "estimate": 2.0, "low": 1.5, "high": 2.5}
    >>> (told,) = over_runs(pd.DataFrame([one | {"runs": 3, "run_sd": 1.0}])).itertuples()
    >>> round(told.low, 2), round(told.high, 2)
    (-0.48, 4.48)
    """
    asked = found["question"].isin(QUESTIONS) & (found["subgroup"] == EVERYONE) & (found["label"] == ALL_LABELS)
    part = found[asked & found["low"].notna() & (found["runs"] >= MINIMUM_RUNS)]
    standard_error = (part["run_sd"] / np.sqrt(part["runs"])).where(part["run_sd"] > 0)
    freedom = part["runs"] - 1
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * standard_error
    p = 2 * stats.t.sf(abs(part["estimate"] / standard_error), freedom)
    told = part.assign(low=part["estimate"] - half, high=part["estimate"] + half, p=p)
    told["p_holm"] = told.groupby(["scoring", "question"])["p"].transform(holm)
    return told[["scoring", *FINDING, "estimate", "low", "high", "p_holm"]]
