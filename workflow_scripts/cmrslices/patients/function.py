"""Cardiac function of the patients of one cohort without labels, by one approach: tables and curves over the cycle."""

from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.cohorts.regions import RegionRule
from cmrslices.cohorts.tables import read_cases
from cmrslices.function import COLUMNS, NO_PHASE, QUANTITIES, VOLUMES, notes, with_fractions
from cmrslices.labels import LABELS, PHASES
from cmrslices.patients.curves import draw_curves
from cmrslices.patients.phases import Choice, find_phases
from cmrslices.patients.volumes import VOLUMES_ML, slice_volumes
from cmrslices.presentation import figures, tables
from cmrslices.presentation.writing import Files

GIVEN, FOUND = "given", "found"
"""Where ED and ES come from: the source lists them, or they were found in the volumes."""

DOUBTS = ("frames", "phases_from", "ED_next", "ED_lead_ml", "ES_next", "ES_lead_ml")


def measure_function(
    cohort: str,
    approach: str,
    title: str,
    cases: str | Path,
    labels: str | Path,
    rule: RegionRule,
    threads: int,
    function: str | Path,
    volumes: str | Path,
    figure: Files,
) -> None:
    """Find ED and ES of every patient, and write volumes, function and curves.

    Parameters
    ----------
    cohort, approach : str
        Their names.
    title : str
        Of the figure.
    cases : path
        The cohort's cases.csv.
    labels : path
        Folder of the approach's label maps, ``{case}.nii.gz``.
    rule : RegionRule
        Which slices are middle slices, in which ED and ES are searched.
    threads : int
        Cases measured at once.
    function, volumes : path
        CSVs to write, see `patient_rows` and `case_rows`.
    figure : Files
        To write.

    Raises
    ------
    InputError
        See `slice_volumes`.
    """
    table = read_cases(cases).query("not excluded").sort_values(["patient", "frame", "case"], ignore_index=True)
    measured = case_rows(table, slice_volumes(table, labels, threads), rule)
    about = {"cohort": cohort, "approach": approach}
    people = patient_rows(measured)
    Path(function).write_text(tables.csv(_with(people, about)))
    Path(volumes).write_text(tables.csv(_with(measured.drop(columns="choice"), about)))
    figures.write_figure(figure, title, draw_curves(measured, people, title))
    print(summary(people))


def case_rows(cases: pd.DataFrame, volumes: list[np.ndarray], rule: RegionRule) -> pd.DataFrame:
    """Volumes of every case, and which case of each patient is ED and which is ES.

    Given phases are taken as they are. In a cine they are found, see `find_phases`.

    Parameters
    ----------
    cases : DataFrame
        Rows of cases.csv, the cases of a patient together: patient, case, phase, frame.
    volumes : list of (slices, labels) array
        As `slice_volumes` gives them.
    rule : RegionRule

    Returns
    -------
    DataFrame
        patient, case, phase, frame, LVBP_ml, LVM_ml, RVBP_ml; ``chosen`` (ED, ES or empty); ``searched_ml`` and
        ``smoothed_ml``, the curve in which ED and ES were found, empty where they are given; ``choice``, the `Choice`
        of such a row or None; ``note``, what `find_phases` says of the patient.
    """
    rows = cases[["patient", "case", "phase", "frame"]].reset_index(drop=True)
    sums = np.array([own.sum(axis=0) for own in volumes]).reshape(-1, len(LABELS))
    rows = rows.assign(**dict(zip(VOLUMES_ML, sums.T, strict=True)))
    rows = rows.assign(chosen="", searched_ml=np.nan, smoothed_ml=np.nan, choice=None, note="")
    for _, own in rows.groupby("patient", sort=False):
        if own["phase"].isin(PHASES).all():
            rows.loc[own.index, "chosen"] = own["phase"]
            continue
        cavity = list(LABELS).index("LVBP")
        found = find_phases(np.stack([volumes[index][:, cavity] for index in own.index]), rule)
        rows.loc[own.index, "searched_ml"] = found.searched_ml
        rows.loc[own.index, "smoothed_ml"] = found.smoothed_ml
        rows.loc[own.index, "note"] = found.note
        for phase, choice in zip(PHASES, (found.ed, found.es), strict=True):
            if choice is not None:
                rows.at[own.index[choice.frame], "chosen"] = phase
                rows.at[own.index[choice.frame], "choice"] = choice
    return rows


def patient_rows(cases: pd.DataFrame) -> pd.DataFrame:
    """Function of every patient, one row each.

    Parameters
    ----------
    cases : DataFrame
        As `case_rows` gives them.

    Returns
    -------
    DataFrame
        patient; frames (number of its cases); ED and ES, the phases of the two cases, such as ``f00`` and ``f09``;
        phases_from (`GIVEN` or `FOUND`); for each of them, where it was found, the second best frame and how far it is
        behind, in ml on the smoothed curve of the middle slices; the columns of `COLUMNS`; and a note, which says why
        cells are empty or doubtful.
    """
    rows = []
    for patient, own in cases.groupby("patient", sort=False):
        row = {"patient": patient, "frames": len(own)}
        phases = {phase: own[own["chosen"] == phase] for phase in PHASES}
        row |= {phase: "".join(found["phase"]) for phase, found in phases.items()}
        row["phases_from"] = GIVEN if own["phase"].isin(PHASES).all() else FOUND
        for phase, found in phases.items():
            choice: Choice | None = found["choice"].iloc[0] if len(found) else None
            following = own["phase"].iloc[choice.next_frame] if choice and choice.next_frame is not None else ""
            row |= {f"{phase}_next": following, f"{phase}_lead_ml": choice.lead_ml if choice else np.nan}
        for quantity, (label, phase, per_ml) in VOLUMES.items():
            volume_ml = phases[phase][f"{label}_ml"]
            row[quantity] = volume_ml.iloc[0] * per_ml if len(volume_ml) else np.nan
        rows.append(row | {"found": own["note"].iloc[0]})
    table = with_fractions(pd.DataFrame(rows))
    table["note"] = [_join(found, *said) for found, *said in zip(table["found"], *_said(table), strict=True)]
    named = table.rename(columns=COLUMNS)
    return named[["patient", *DOUBTS[:1], *PHASES, *DOUBTS[1:], *COLUMNS.values(), "note"]]


def summary(people: pd.DataFrame) -> str:
    """Say of how many patients ED and ES are known, and name those with a note."""
    known = (people["ED"] != "") & (people["ES"] != "")
    lines = [f"ED and ES of {known.sum()} of {len(people)} patients"]
    return "\n".join(lines + [f"{row.patient}: {row.note}" for row in people[people["note"] != ""].itertuples()])


def _said(table: pd.DataFrame) -> list[np.ndarray]:
    """Notes of each quantity, with its name where the note is about it alone."""
    parts = []
    for quantity in QUANTITIES:
        own = notes(quantity, {"predicted": table})
        general = np.isin(own, ["", *NO_PHASE.values()])
        parts.append(np.where(general, own, [f"{quantity}: {note}" for note in own]))
    return parts


def _join(*parts: str) -> str:
    return "; ".join(dict.fromkeys(filter(None, parts)))


def _with(table: pd.DataFrame, about: dict[str, str]) -> pd.DataFrame:
    """Put the same cells before each row."""
    return table.assign(**about)[[*about, *table.columns]]
