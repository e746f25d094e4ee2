"""False positives: what is predicted in slices whose reference lacks the label, with intervals over patients."""

import pandas as pd

from cmrslices.evaluation.answers import about_slices, ask_one_run
from cmrslices.evaluation.jackknife import MINIMUM_PATIENTS, jackknife
from cmrslices.evaluation.statistics import count_false_positives

KEY = ["cohort", "approach", "region", "label"]
CAPTION = (
    "False positives: of the slices whose reference does not carry the label (slices, of so many patients), those "
    "with any of it predicted, and the mean area predicted in them, with 95 % intervals over patients (cluster "
    f"jackknife; none with fewer than {MINIMUM_PATIENTS} patients)."
)


def false_positives(scores: pd.DataFrame, baseline: str, others: list[str]) -> pd.DataFrame:
    """Rate and area of the false positives by cohort, approach, region and label.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, of all approaches.
    baseline : str
    others : list of str

    Returns
    -------
    DataFrame
        What `count_false_positives` gives, with patients, rate_low, rate_high, area_low_mm2 and area_high_mm2.
    """
    bounds: dict[str, list[pd.DataFrame]] = {"invented": [], "invented_mm2": []}
    for cohort, answer in ask_one_run(scores, baseline, others, about_slices):
        if answer.question in bounds:
            low, high = jackknife(answer.values, answer.patients).interval()
            bounds[answer.question].append(answer.table(cohort, low=low, high=high))
    rate = pd.concat(bounds["invented"]).assign(
        rate_low=lambda table: table["low"].clip(0, 100) / 100, rate_high=lambda table: table["high"].clip(0, 100) / 100
    )
    area = pd.concat(bounds["invented_mm2"]).rename(columns={"low": "area_low_mm2", "high": "area_high_mm2"})
    table = count_false_positives(scores).astype(dict.fromkeys(KEY, str))
    table = table.merge(rate[[*KEY, "patients", "rate_low", "rate_high"]], on=KEY, how="left")
    table = table.merge(area[[*KEY, "area_low_mm2", "area_high_mm2"]], on=KEY, how="left")
    table = table.assign(patients=table["patients"].fillna(0).astype(int))
    columns = ["slices", "patients", "false_positives", "rate", "rate_low", "rate_high"]
    return table[[*KEY, *columns, "mean_area_mm2", "area_low_mm2", "area_high_mm2"]]
