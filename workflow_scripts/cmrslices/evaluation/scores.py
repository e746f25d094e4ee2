"""Scores: the DSC and the areas of every slice and label, case by case."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from cmrslices.errors import InputError
from cmrslices.labels import LABELS, NON_CARDIAC, REGIONS
from cmrslices.parallel import map_progress

COLUMNS = ["cohort", "approach", "case", "patient", "phase", "slice", "region", "position", "label"]
TOLERANCE_MM = 1e-3


def score_case(prediction: np.ndarray, reference: np.ndarray, pixel_area_mm2: float) -> pd.DataFrame:
    """Areas and DSC of every slice and label of one case.

    Parameters
    ----------
    prediction, reference : integer arrays, shape (slices, rows, columns)
        Label maps with values 0 to 3 (`cmrslices.labels.LABELS`).
    pixel_area_mm2 : float

    Returns
    -------
    DataFrame
        slice, label, reference_mm2, predicted_mm2, dsc. The DSC is 2|A∩B| / (|A| + |B|), from 0 to 1;
        it is NaN where the reference does not carry the label, whatever is predicted there.
    """
    slices, classes = len(reference), len(LABELS) + 1
    index = np.arange(slices)[:, None]
    joint = (index * classes + reference.reshape(slices, -1)) * classes + prediction.reshape(slices, -1)
    pixels = np.bincount(joint.ravel(), minlength=slices * classes**2).reshape(slices, classes, classes)

    in_reference = pixels.sum(axis=2)[:, 1:].ravel()
    in_prediction = pixels.sum(axis=1)[:, 1:].ravel()
    in_both = np.diagonal(pixels, axis1=1, axis2=2)[:, 1:].ravel()
    dsc = np.full(len(in_both), np.nan)
    np.divide(2 * in_both, in_reference + in_prediction, out=dsc, where=in_reference > 0)

    table = pd.MultiIndex.from_product([range(slices), LABELS], names=["slice", "label"]).to_frame(index=False)
    return table.assign(
        reference_mm2=in_reference * pixel_area_mm2, predicted_mm2=in_prediction * pixel_area_mm2, dsc=dsc
    )


def score_cohort(
    predictions: str | Path,
    references: str | Path,
    slices: str | Path,
    splits: str | Path,
    scores: str | Path,
    cohort: str,
    approach: str,
    threads: int,
) -> None:
    """Score the test cases of a cohort; one row per case, slice and label.

    Parameters
    ----------
    predictions, references : path
        Folders with {case}.nii.gz of the approach and of the cohort.
    slices, splits : path
        The cohort's slices.csv and splits.csv.
    scores : path
        The CSV to write.
    cohort, approach : str
        Names to write in it.
    threads : int
        Processes; each holds one case at a time.

    Raises
    ------
    InputError
        When there is no test case, a label map is missing or unreadable, prediction and reference differ
        in geometry, or slices.csv does not have the slices of a case.
    """
    table = pd.read_csv(splits, dtype=str, keep_default_na=False)
    cases = sorted(table.loc[table["split"] == "test", "case"])
    if not cases:
        raise InputError(f"{splits}: no case is in the test split; give it patients (config key: splits)")
    read = partial(_score_files, predictions=Path(predictions), references=Path(references))
    scored = dict(zip(cases, map_progress(read, cases, threads, unit="case"), strict=True))
    result = _with_regions(pd.concat(scored, names=["case"]).reset_index("case"), Path(slices))
    result = result.assign(cohort=cohort, approach=approach)
    result[[*COLUMNS, "reference_mm2", "predicted_mm2", "dsc"]].to_csv(scores, index=False)
    print(f"{approach}, {cohort}: {len(cases)} test cases, {len(result) // len(LABELS)} slices scored")


def read_scores(
    paths: list[str | Path], cohorts: Mapping[str, str] | None = None, approaches: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Scores of several approaches and cohorts in one table.

    Parameters
    ----------
    paths : list of path
        CSVs made by `score_cohort`.
    cohorts, approaches : dict of name to title, optional
        They set the order of the rows in every table made from the scores.

    Returns
    -------
    DataFrame
        The CSVs' columns; cohort, approach, region and label are categories in reporting order.
    """
    names = dict.fromkeys(["cohort", "approach", "case", "patient", "phase", "region", "label"], str)
    numbers = {"position": "", "dsc": ""}
    parts = [pd.read_csv(path, dtype=names, keep_default_na=False, na_values=numbers) for path in paths]
    scores = pd.concat(parts, ignore_index=True)
    orders = {
        "cohort": cohorts or scores["cohort"].unique(),
        "approach": approaches or scores["approach"].unique(),
        "region": (*REGIONS, NON_CARDIAC),
        "label": LABELS,
    }
    return scores.assign(**{name: pd.Categorical(scores[name], list(order)) for name, order in orders.items()})


def _score_files(case: str, predictions: Path, references: Path) -> pd.DataFrame:
    prediction = _read_label_map(predictions / f"{case}.nii.gz", case)
    reference = _read_label_map(references / f"{case}.nii.gz", case)
    for name in ("Size", "Spacing", "Origin", "Direction"):
        predicted, expected = getattr(prediction, f"Get{name}")(), getattr(reference, f"Get{name}")()
        if not np.allclose(predicted, expected, rtol=0, atol=TOLERANCE_MM):
            raise InputError(
                f"{case}: prediction and reference differ in {name.lower()} ({predicted} and {expected}); "
                f"delete {predictions} and predict again"
            )
    pixel_area_mm2 = float(np.prod(reference.GetSpacing()[:2]))
    return score_case(sitk.GetArrayViewFromImage(prediction), sitk.GetArrayViewFromImage(reference), pixel_area_mm2)


def _read_label_map(path: Path, case: str) -> sitk.Image:
    if not path.is_file():
        raise InputError(f"{case}: no label map {path}; delete its folder and run the workflow again")
    try:
        image = sitk.ReadImage(path)
    except RuntimeError:
        raise InputError(f"{case}: cannot read {path}; delete its folder and run the workflow again") from None
    values = np.unique(sitk.GetArrayViewFromImage(image))
    unknown = sorted(set(values.tolist()) - {0, *LABELS.values()})
    if unknown:
        raise InputError(f"{case}: {path} holds the label values {unknown}; only 0 to {len(LABELS)} are known")
    return sitk.Cast(image, sitk.sitkUInt8)


def _with_regions(scored: pd.DataFrame, path: Path) -> pd.DataFrame:
    text = dict.fromkeys(["case", "patient", "phase"], str)
    slices = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"position": ""})
    slices = slices[slices["case"].isin(scored["case"])]
    key = ["case", "slice"]
    result = scored.merge(slices[[*key, "patient", "phase", "region", "position"]], on=key, how="outer", indicator=True)
    unmatched = result.loc[result["_merge"] != "both", "case"].unique()
    if unmatched.size:
        raise InputError(f"{path}: not the slices of the label map of {unmatched[0]}; delete it and run again")
    return result.sort_values([*key, "label"])
