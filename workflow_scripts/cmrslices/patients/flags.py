"""Quality flags of a cohort's label maps: which signs are looked for, and which of them are raised.

A flag is raised where the score of a sign is above its limit. It is a reason to look at a slice; it never changes a
label. Nothing here knows the reference. `cmrslices.patients.flag_worth` measures what each flag is worth.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cmrslices.cohorts.tables import read_cases
from cmrslices.labels import PHASES, SLICE_CLASSES
from cmrslices.patients import doubt_flags, pair_flags, stack_flags
from cmrslices.patients.stack_flags import Finding
from cmrslices.prediction.routing import read_weights
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import read_volume
from cmrslices.runtime.parallel import map_progress

FLAGS = {
    "empty_middle": "LVBP or LVM missing in the middle third of the stack",
    "gap": "No label between labelled slices",
    "missing_label": "Label missing between slices that have it",
    "cut_off_base": "Base cut off by the first slice (in slices)",
    "cut_off_apex": "Apex cut off by the last slice (share of the largest area)",
    "at_border": "Label at the border of the image (mm)",
    "components": "Label in several pieces (mm² outside the largest)",
    "open_cavity": "LVBP not surrounded by LVM (share of the outline)",
    "stroke_volumes": "Stroke volumes of LV and RV differ (share of the larger one)",
    "mass": "Volumes of LVM at ED and ES differ (share of the larger one)",
    "contraction": "Cavity larger at ES than at ED (ES / ED)",
    "disagreement": "Other approaches label the slice otherwise (1 - DSC)",
    "uncertain_region": "Region uncertain (1 - weight of the likeliest)",
}
"""Each flag in words, with the unit of its score, in reporting order."""
OF_PATIENT = ("stroke_volumes", "mass", "contraction")
"""Flags that name no slice. Their scores are those of all slices of the patient."""
FIXED_LIMITS = {"empty_middle": 0.0, "gap": 0.0, "missing_label": 0.0, "at_border": 0.0, "contraction": 1.0}
"""Limits that follow from what the flag says. The others are keys of the configuration."""
PLACE = ["patient", "case", "phase", "slice"]
RAISED = ["patient", "case", "slice", "label", "flag", "score", "limit", "reason"]
"""Columns of qc.csv."""


class Case(NamedTuple):
    """A label map and what is known beside it.

    Attributes
    ----------
    name, phase : str
    labels : integer array, shape (slices, rows, columns)
    spacing_mm : array, shape (3,)
        Along x, y and z.
    others : list of arrays
        Label maps of the same case by other approaches.
    weights : array, shape (slices, regions), or None
        Of the entries of `SLICE_CLASSES`, by the approach's router.
    """

    name: str
    phase: str
    labels: np.ndarray
    spacing_mm: np.ndarray
    others: Sequence[np.ndarray] = ()
    weights: np.ndarray | None = None


Signs = dict[str, list[Finding]]
"""What each flag finds; a flag that cannot be judged, such as one that needs another approach, is not in it."""


def signs_of_case(case: Case) -> Signs:
    """What the flags find that look at one case."""
    labels, spacing_mm = case.labels, case.spacing_mm
    signs = {
        "empty_middle": stack_flags.empty_middle(labels),
        "gap": stack_flags.gaps(labels),
        "missing_label": stack_flags.missing_labels(labels),
        "cut_off_apex": stack_flags.cut_off_apex(labels),
        "at_border": stack_flags.at_border(labels, spacing_mm),
        "components": stack_flags.components(labels, spacing_mm),
        "open_cavity": stack_flags.open_cavity(labels, spacing_mm),
    }
    if case.others:
        signs["disagreement"] = doubt_flags.disagreement(labels, case.others)
    if case.weights is not None:
        signs["uncertain_region"] = doubt_flags.uncertain_regions(case.weights)
    return signs


def signs_of_pair(ed: Case, es: Case) -> Signs:
    """What the flags find that compare ED and ES of one patient; `cut_off_base` is about the slices of ED."""
    both = (ed.labels, es.labels, ed.spacing_mm, es.spacing_mm)
    return {
        "cut_off_base": pair_flags.cut_off_base(*both),
        "stroke_volumes": pair_flags.stroke_volumes(*both),
        "mass": pair_flags.masses(*both),
        "contraction": pair_flags.contraction(*both),
    }


def flag_patient(patient: str, cases: Sequence[Case], limits: Mapping[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Look for all signs in the label maps of one patient.

    Parameters
    ----------
    patient : str
    cases : sequence of Case
        Of the patient. What compares ED and ES is left out if one of them is missing.
    limits : dict of flag to float
        A sign with a larger score is raised.

    Returns
    -------
    raised : DataFrame
        With the columns `RAISED`: a row for each flag that is raised. Flags of the patient name no case and no slice.
    scores : DataFrame
        `PLACE`, and a column for each of `FLAGS`: a row for each slice, with the largest score of its signs; 0 where
        there is none, NaN where the flag cannot be judged.
    """
    signs = {case.name: signs_of_case(case) for case in cases}
    of_phase = {case.phase: case for case in cases}
    if set(PHASES) <= of_phase.keys():
        ed, es = (of_phase[phase] for phase in PHASES)
        of_pair = signs_of_pair(ed, es)
        signs[ed.name]["cut_off_base"] = of_pair.pop("cut_off_base")
        signs[""] = of_pair
    rows = [
        (patient, case, finding.slice, finding.label, flag, finding.score, limits[flag], finding.reason)
        for case, of_case in signs.items()
        for flag, findings in of_case.items()
        for finding in findings
        if finding.score > limits[flag]
    ]
    raised = pd.DataFrame(rows, columns=RAISED).astype({"slice": "Int64"})
    return raised, pd.concat([_scores(patient, case, signs) for case in cases], ignore_index=True)


def _scores(patient: str, case: Case, signs: Mapping[str, Signs]) -> pd.DataFrame:
    slices = len(case.labels)
    places = {"patient": patient, "case": case.name, "phase": case.phase, "slice": np.arange(slices)}
    scores = {}
    found = {**signs[case.name], **(signs.get("", {}) if case.phase in PHASES else {})}
    for flag in FLAGS:
        scores[flag] = np.full(slices, 0.0 if flag in found else np.nan)
        for finding in found.get(flag, ()):
            at = slice(None) if finding.slice is None else finding.slice
            scores[flag][at] = np.maximum(scores[flag][at], finding.score)
    return pd.DataFrame({**places, **scores})


def flag_cohort(
    predictions: str | Path,
    others: Sequence[str | Path],
    regions: str | Path | None,
    cases: str | Path,
    phases: str | Path | None,
    limits: Mapping[str, float],
    raised: str | Path,
    scores: str | Path,
    threads: int,
) -> None:
    """Look for signs in all label maps of a cohort, and write what is raised and all scores; see `flag_patient`.

    Parameters
    ----------
    predictions : path
        Folder with {case}.nii.gz of the approach.
    others : list of path
        Folders of other approaches, which label the same cases.
    regions : path or None
        Weights of the regions, see `read_weights`; None where the approach has no router that weighs them.
    cases : path
        The cohort's cases.csv.
    phases : path or None
        volumes.csv of a cohort without labels: of a cine, only the frames that it chose as ED and ES are looked at.
    limits : dict of flag to float
        Of the flags that are not in `FIXED_LIMITS`.
    raised, scores : path
        CSVs to write.
    threads : int
        Processes; each holds one patient at a time.

    Raises
    ------
    InputError
        There is no label map, or one without a row in cases.csv; another approach lacks a case or has another grid; the
        weights lack a slice.
    """
    names = sorted(file.name.removesuffix(".nii.gz") for file in Path(predictions).glob("*.nii.gz"))
    if not names:
        raise InputError(f"{predictions}: holds no label map, so there is nothing to check; delete it and run again")
    table = read_cases(cases).set_index("case")
    unknown = [name for name in names if name not in table.index]
    if unknown:
        raise InputError(f"{predictions}: {unknown[0]} has no row in {cases}; delete the folder and run again")
    table = table.loc[names] if phases is None else _at_found_phases(table.loc[names], phases)
    patients = list(table.groupby("patient", sort=True))
    weights = None if regions is None else dict(list(read_weights(regions).groupby("case")))
    look = partial(
        _read_and_flag,
        predictions=Path(predictions),
        others=list(map(Path, others)),
        weights=weights,
        limits={**FIXED_LIMITS, **limits},
    )
    found = list(map_progress(look, patients, threads, unit="patient"))
    flags = pd.concat([part for part, _ in found], ignore_index=True)
    flags.to_csv(raised, index=False, float_format="%.6g")
    pd.concat([part for _, part in found], ignore_index=True).to_csv(scores, index=False, float_format="%.6g")
    flagged = flags.dropna(subset="slice").drop_duplicates(["case", "slice"])
    print(f"{len(patients)} patients, {len(names)} label maps: {len(flags)} flags, {len(flagged)} slices have some")


def _at_found_phases(cases: pd.DataFrame, volumes: str | Path) -> pd.DataFrame:
    """The cases that were chosen as ED and ES, with these as their phases."""
    chosen = pd.read_csv(volumes, dtype=str, keep_default_na=False).set_index("case")["chosen"]
    found = chosen[chosen != ""]
    return cases.loc[cases.index.isin(found.index)].assign(phase=found)


def _read_and_flag(
    item: tuple[str, pd.DataFrame],
    predictions: Path,
    others: Sequence[Path],
    weights: Mapping[str, pd.DataFrame] | None,
    limits: Mapping[str, float],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    patient, rows = item
    cases = []
    for name, phase in rows["phase"].items():
        volume = read_volume(predictions / f"{name}.nii.gz")
        labels = volume.voxels.astype(np.uint8)
        of_others = [_read_like(labels, folder / f"{name}.nii.gz") for folder in others]
        of_slices = None if weights is None else _weights(str(name), len(labels), weights)
        cases.append(Case(str(name), phase, labels, volume.spacing_mm, of_others, of_slices))
    return flag_patient(patient, cases, limits)


def _read_like(labels: np.ndarray, path: Path) -> np.ndarray:
    other = read_volume(path).voxels
    if other.shape != labels.shape:
        raise InputError(
            f"{path}: has another size than the label map of another approach; delete its folder and run again"
        )
    return other.astype(np.uint8)


def _weights(case: str, slices: int, weights: Mapping[str, pd.DataFrame]) -> np.ndarray:
    rows = weights.get(case)
    if rows is None or sorted(rows["slice"]) != list(range(slices)):
        raise InputError(f"{case}: the regions do not match its {slices} slices; re-run the rule that made them")
    return rows.sort_values("slice")[list(SLICE_CLASSES)].to_numpy()
