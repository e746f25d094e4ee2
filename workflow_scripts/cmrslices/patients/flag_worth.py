"""What each quality flag is worth: how well its score finds the slices that are segmented badly.

A slice is bad if its DSC is below `BAD`. Its DSC is the mean over the labels that the reference carries. Where the
reference carries none, and the label map does, the DSC is 0. Slices without any label in either are left out: there is
nothing to get wrong that a DSC could tell.

AUROC, the area under the receiver operating characteristic, is the share of all pairs of a bad and another slice in
which the bad one has the larger score; equal scores count half. 0.5 is chance.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cmrslices.evaluation.jackknife import jackknife
from cmrslices.evaluation.scores import read_scores
from cmrslices.patients.flags import FIXED_LIMITS, FLAGS
from cmrslices.presentation import tables
from cmrslices.presentation.writing import Files, write_table

BAD = 0.7
"""DSC below which a slice is bad."""
ANY = "any"
"""Row of all flags together: its score is the number of flags that are raised in the slice."""
TITLES = {**FLAGS, ANY: "Any of them (number of flags)"}
ALL_COHORTS = "all"
KEY = ["case", "slice"]
CAPTION = (
    f"How well the flags of {{approach}} find bad slices: those with a DSC below {100 * BAD:g} %. The DSC of a slice "
    "is the mean over the labels that the reference carries; it is 0 where only the label map has labels; slices "
    "without labels in both are left out. Bad: share of all slices. AUROC: probability that a bad slice has a larger "
    "score than another one, with a 95 % interval over patients (jackknife); 0.5 is chance. Raised: slices with the "
    "flag; of these, bad: how many of them are bad, to be compared with the share of all slices; bad ones found: share "
    "of the bad slices that have the flag. A flag of the whole patient counts for all slices of the patient. A flag "
    "that is left out cannot be judged here. Limits are from anatomy and the literature, and were not fitted to these "
    "data."
)


def slice_quality(scores: pd.DataFrame) -> pd.DataFrame:
    """DSC of every slice that has one; see the top of this module.

    Parameters
    ----------
    scores : DataFrame
        Of one approach, as `read_scores` gives them.

    Returns
    -------
    DataFrame
        cohort, patient, case, slice, dsc (0 to 1).

    Examples
    --------
    Of the three slices, one is found, one is invented, and one is rightly left empty.

    >>> scores = pd.DataFrame({"slice": [0, 1, 2], "dsc": [0.9, None, None], "predicted_mm2": [50, 50, 0]})
    >>> scores = scores.assign(cohort="acdc", patient="1", case="acdc_1_ED", label="LVM")
    >>> slice_quality(scores)[["slice", "dsc"]].values.tolist()
    [[0.0, 0.9], [1.0, 0.0]]
    """
    keys = ["cohort", "patient", *KEY]
    slices = (
        scores.astype({"cohort": str}).groupby(keys, sort=False).agg(dsc=("dsc", "mean"), area=("predicted_mm2", "sum"))
    )
    invented = slices["dsc"].isna() & (slices["area"] > 0)
    return slices["dsc"].mask(invented, 0.0).dropna().reset_index()


def auroc(scores: np.ndarray, bad: np.ndarray, patients: np.ndarray) -> xr.DataArray:
    """AUROC with all patients, and without each of them.

    Parameters
    ----------
    scores : array, shape (slices,)
    bad : bool array, shape (slices,)
    patients : array of str, shape (slices,)

    Returns
    -------
    DataArray, axis without (1 + patients)
        As `cmrslices.evaluation.jackknife.jackknife` takes it; NaN where there is no bad or no other slice.

    Examples
    --------
    Two bad slices, with the scores 3 and 1, and two others, with 2 and 1: of the four pairs, two and a half are right.

    >>> scores, bad = np.array([3.0, 1, 2, 1]), np.array([True, True, False, False])
    >>> auroc(scores, bad, np.array(["a", "a", "b", "b"])).values.tolist()
    [0.625, nan, nan]
    """
    names, number = np.unique(patients, return_inverse=True)
    wins = np.zeros(len(scores))  # of each slice, against all slices of the other kind
    wins[bad] = _pairs(scores[bad], scores[~bad])
    wins[~bad] = _pairs(-scores[~bad], -scores[bad])
    count = len(names)
    of_bad, of_others = (np.bincount(number[kind], wins[kind], count) for kind in (bad, ~bad))
    own = np.array([_pairs(scores[bad & (number == n)], scores[~bad & (number == n)]).sum() for n in range(count)])
    # A patient's pairs with itself are among those of its bad slices and among those of its others.
    right = _total_and_without(of_bad.sum(), of_bad + of_others - own)
    pairs = np.prod(
        [_total_and_without(kind.sum(), np.bincount(number[kind], minlength=count)) for kind in (bad, ~bad)], 0
    )
    return xr.DataArray(np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0), dims="without")


def _pairs(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many of the others each score is larger than; equal ones count half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / 2


def _total_and_without(total: float, parts: np.ndarray) -> np.ndarray:
    return np.concatenate([[total], total - parts])


def measure_worth(slices: pd.DataFrame, limits: Mapping[str, float]) -> pd.DataFrame:
    """What each flag is worth on some slices.

    Parameters
    ----------
    slices : DataFrame
        patient, dsc (0 to 1), and a column of scores for each flag, NaN where it cannot be judged.
    limits : dict of flag to float
        Of all flags.

    Returns
    -------
    DataFrame
        flag, patients, slices, bad, raised, raised_bad (numbers of slices), auroc, auroc_low, auroc_high; a row for
        each flag that can be judged in some slice, and one for `ANY`. The bounds are NaN with fewer than five patients,
        and where the scores of all slices are equal.
    """
    above = slices[list(FLAGS)] > pd.Series(limits)[list(FLAGS)]
    scores = slices[list(FLAGS)].assign(**{ANY: above.sum(axis="columns").astype(float)})
    raised = above.assign(**{ANY: above.any(axis="columns")})
    rows = []
    for flag in scores.columns[scores.notna().any()]:
        judged = scores[flag].notna().to_numpy()
        part = slices[judged]
        bad = (part["dsc"] < BAD).to_numpy()
        values = auroc(scores.loc[judged, flag].to_numpy(), bad, part["patient"].to_numpy())
        patients = part["patient"].nunique()
        low, high = (bound.clip(0, 1).item() for bound in jackknife(values, xr.DataArray(patients)).interval())
        has = raised.loc[judged, flag].to_numpy()
        numbers = (patients, len(part), bad.sum(), has.sum(), (has & bad).sum())
        rows.append((flag, *map(int, numbers), values[0].item(), low, high))
    names = ["flag", "patients", "slices", "bad", "raised", "raised_bad", "auroc", "auroc_low", "auroc_high"]
    return pd.DataFrame(rows, columns=names)


def write_worth(
    flag_scores: Sequence[str | Path],
    scores: Sequence[str | Path],
    cohorts: Mapping[str, str],
    approach: str,
    limits: Mapping[str, float],
    table: Files,
) -> None:
    """Write what the flags of one approach are worth on each labelled cohort, and on all of them together.

    Parameters
    ----------
    flag_scores, scores : list of path
        Of each cohort: the scores of the flags (`cmrslices.patients.flags.flag_cohort`), and those of the slices.
    cohorts : dict of name to title
        In the order of both.
    approach : str
        Its title.
    limits : dict of flag to float
        Of the flags that are not in `FIXED_LIMITS`.
    table : Files
        To write.
    """
    parts = []
    for cohort, of_flags, of_slices in zip(cohorts, flag_scores, scores, strict=True):
        signs = read_flag_scores(of_flags).drop(columns=["patient", "phase"])
        quality = slice_quality(read_scores([of_slices]))
        parts.append(quality.merge(signs, on=KEY, how="left", validate="one_to_one").assign(cohort=cohort))
    slices = pd.concat(parts, ignore_index=True)
    # Two cohorts may give their patients the same names.
    slices["patient"] = slices["cohort"] + "/" + slices["patient"]
    groups = dict(list(slices.groupby("cohort", sort=False)))
    if len(cohorts) > 1:
        groups[ALL_COHORTS] = slices
    all_limits = {**FIXED_LIMITS, **limits}
    worth = pd.concat(
        [measure_worth(part, all_limits).assign(cohort=name) for name, part in groups.items()], ignore_index=True
    )
    worth = worth[["cohort", *worth.columns.drop("cohort")]]
    cells = layout(worth, cohorts)
    write_table(table, worth, f"Worth of the quality flags, {approach}", CAPTION.format(approach=approach), cells)


def layout(worth: pd.DataFrame, cohorts: Mapping[str, str]) -> pd.DataFrame:
    """Cells for readers: a row per cohort and flag."""
    titles = {**cohorts, ALL_COHORTS: "All together"}
    return pd.DataFrame(
        {
            "Dataset": tables.sparse(tables.titled(worth["cohort"], titles)),
            "Flag": tables.titled(worth["flag"], TITLES),
            "AUROC": [
                tables.with_interval(*bounds)
                for bounds in zip(worth["auroc"], worth["auroc_low"], worth["auroc_high"], strict=True)
            ],
            "Slices": worth["slices"].astype(str),
            "Bad": _share(worth["bad"], worth["slices"]),
            "Raised": worth["raised"].astype(str),
            "Of these, bad": _share(worth["raised_bad"], worth["raised"]),
            "Bad ones found": _share(worth["raised_bad"], worth["bad"]),
        }
    )


def read_flag_scores(path: str | Path) -> pd.DataFrame:
    """Read the scores of all slices, as `cmrslices.patients.flags.flag_cohort` writes them."""
    names = dict.fromkeys(["patient", "case", "phase"], str)
    empty = dict.fromkeys(FLAGS, "")
    return pd.read_csv(path, dtype=names, keep_default_na=False, na_values=empty)


def _share(part: pd.Series, whole: pd.Series) -> pd.Series:
    return (100 * part / whole.where(whole > 0)).map(
        lambda share: f"{tables.number(share, 1)} %" if share == share else ""
    )
