"""Cardiac function: volumes, ejection fractions and LV mass of every patient, from the areas of the slices.

A volume is the sum of a label's areas over all slices of the label map, times the distance of the slice centres. The
label map decides which slices count: a slice without the label adds nothing, whatever its region. There are no end
caps, and nothing is interpolated between slices.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cmrslices.function import QUANTITIES, VOLUMES, notes, with_fractions
from cmrslices.runtime.errors import InputError

SIDES = ["reference", "predicted"]
PATIENT = ["cohort", "approach", "patient"]


def with_volumes(scores: pd.DataFrame, cases: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Add to every slice and label the volume that it stands for.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, of all approaches and cohorts.
    cases : dict of cohort to DataFrame
        Each cohort's cases.csv, as `read_cases` gives it.

    Returns
    -------
    DataFrame
        The scores with reference_ml and predicted_ml.

    Raises
    ------
    InputError
        An approach is not scored on the slices of the others, cases.csv lacks a case, or the distance of a case's slice
        centres is missing or not above 0.

    Examples
    --------
    500 mm² in slices whose centres are 10 mm apart are 5 ml.

    >>> scores = pd.DataFrame({"cohort": ["acdc"], "approach": ["baseline"], "case": ["acdc_1_ED"]})
    >>> scores = scores.assign(slice=0, label="LVBP", reference_mm2=500.0, predicted_mm2=400.0)
    >>> cases = pd.DataFrame({"case": ["acdc_1_ED"], "spacing_z_mm": [10.0]})
    >>> with_volumes(scores, {"acdc": cases})[["reference_ml", "predicted_ml"]]
       reference_ml  predicted_ml
    0           5.0           4.0
    """
    _check_same_slices(scores)
    distances_mm = pd.concat(
        [
            slice_distances(table, cohort, scores.loc[scores["cohort"] == cohort, "case"].unique())
            for cohort, table in cases.items()
        ]
    )
    distance_mm = scores["case"].map(distances_mm)
    return scores.assign(**{f"{side}_ml": scores[f"{side}_mm2"] * distance_mm / 1000 for side in SIDES})


def slice_distances(cases: pd.DataFrame, cohort: str, scored: np.ndarray) -> pd.Series:
    """Distance of the slice centres of each scored case, in mm.

    Parameters
    ----------
    cases : DataFrame
        The cohort's cases.csv: case, spacing_z_mm.
    cohort : str
    scored : array of str
        The cases that are needed.

    Returns
    -------
    Series
        By case.

    Raises
    ------
    InputError
        See `with_volumes`.
    """
    if "spacing_z_mm" not in cases:
        raise InputError(
            f"cohort {cohort}: cases.csv has no column spacing_z_mm, so there are no volumes; "
            "convert the cohort again, or publish its run again"
        )
    distance_mm = cases.set_index("case")["spacing_z_mm"]
    for case in scored:
        if case not in distance_mm.index:
            raise InputError(f"cohort {cohort}: {case} has scores, but no row in cases.csv; run the workflow again")
        if not 0 < distance_mm[case] < np.inf:
            found = "missing" if np.isnan(distance_mm[case]) else f"{distance_mm[case]:g}"
            raise InputError(
                f"cohort {cohort}: {case}: the distance of its slices (spacing_z_mm in cases.csv) is {found}; correct "
                f"the header of its image, or exclude the patient (config key: cohorts.{cohort}.exclude)"
            )
    return distance_mm.loc[scored]


def regional_volumes(slices: pd.DataFrame) -> pd.DataFrame:
    """Volumes and LV mass of every patient, region by region.

    Parameters
    ----------
    slices : DataFrame
        As `with_volumes` gives them.

    Returns
    -------
    DataFrame
        cohort, approach, patient, quantity (of `VOLUMES`), region, reference, predicted (ml; LV mass in g). Patients
        are in the order of the scores. A region has a row where the case has slices of it.
    """
    keys = [*PATIENT, "region"]
    parts = []
    for quantity, (label, phase, per_ml) in VOLUMES.items():
        part = slices[(slices["label"] == label) & (slices["phase"] == phase)]
        sums = part.groupby(keys, observed=True, sort=False)[[f"{side}_ml" for side in SIDES]].sum() * per_ml
        parts.append(sums.set_axis(SIDES, axis=1).reset_index().assign(quantity=quantity))
    return pd.concat(parts, ignore_index=True)[[*PATIENT, "quantity", "region", *SIDES]]


def patient_function(volumes: pd.DataFrame) -> pd.DataFrame:
    """All quantities of every patient and approach, by the reference and by the prediction.

    Parameters
    ----------
    volumes : DataFrame
        As `regional_volumes` gives them.

    Returns
    -------
    DataFrame
        cohort, approach, patient, quantity, unit, reference, predicted, note; a row per quantity of `QUANTITIES`. What
        a missing phase would be needed for is NaN. So is an ejection fraction whose end-diastolic volume is 0, and it
        is never taken for 0. An end-systolic volume above the end-diastolic one is kept. The note (of
        `cmrslices.function.NOTES`) says each of these.

    Examples
    --------
    >>> volumes = pd.DataFrame({"quantity": ["LVEDV", "LVESV"], "reference": [120.0, 48.0], "predicted": [110.0, 55.0]})
    >>> volumes = volumes.assign(cohort="acdc", approach="baseline", patient="1", region="middle")
    >>> patient_function(volumes)[["quantity", "unit", "reference", "predicted"]].head(4)
      quantity unit  reference  predicted
    0    LVEDV   ml      120.0      110.0
    1    LVESV   ml       48.0       55.0
    2     LVSV   ml       72.0       55.0
    3     LVEF    %       60.0       50.0
    """
    people = volumes[PATIENT].drop_duplicates().sort_values(PATIENT[:2], kind="stable")
    sums = volumes.groupby([*PATIENT, "quantity"], observed=True, sort=False)[SIDES].sum()
    sides = {side: _with_fractions(sums[side].unstack("quantity"), people) for side in SIDES}
    parts = [
        people.assign(
            order=np.arange(len(people)),
            quantity=quantity,
            unit=unit,
            **{side: table[quantity].to_numpy() for side, table in sides.items()},
            note=notes(quantity, sides),
        )
        for quantity, unit in QUANTITIES.items()
    ]
    table = pd.concat(parts).sort_values("order", kind="stable", ignore_index=True)
    return table[[*PATIENT, "quantity", "unit", *SIDES, "note"]]


def _with_fractions(volumes: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Add stroke volume and ejection fraction of both ventricles; a row for each of the people, in their order."""
    table = volumes.reindex(index=pd.MultiIndex.from_frame(people), columns=list(VOLUMES)).reset_index(drop=True)
    return with_fractions(table)


def _check_same_slices(scores: pd.DataFrame) -> None:
    keys = ["cohort", "case", "approach"]
    counts = scores.groupby(keys[:2], observed=True)["approach"].value_counts().unstack("approach", fill_value=0)
    fewer = counts.lt(counts.max(axis=1), axis=0)
    for approach in fewer.columns[fewer.any()]:
        short = fewer.index[fewer[approach]]
        cohort, case = short[0]
        raise InputError(
            f"scores: {approach} lacks slices of {len(short)} cases that other approaches have, such as {case}; "
            f"delete scores/{approach}/{cohort}.csv and run again"
        )
