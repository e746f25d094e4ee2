"""One patient: read ED and ES, put the base first, write both cases."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cmrslices.cohorts.convert.finished import load_rows, save_rows, source_digest
from cmrslices.cohorts.convert.geometry import reverse_slices
from cmrslices.cohorts.convert.orientation import Direction, decide_direction
from cmrslices.cohorts.convert.raw import RawPatient, source_files
from cmrslices.cohorts.convert.volumes import Stack, Study, write_volume
from cmrslices.labels import PHASES
from cmrslices.runtime.errors import CollectedErrors, InputError


def safe_name(name: str) -> str:
    """Name with letters, digits, ``-`` and ``_`` alone; every other character becomes ``-``."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in name)


def convert_patient(
    patient: RawPatient,
    cohort: str,
    read: Callable[[RawPatient, dict[str, int]], Study],
    label_map: dict[str, int],
    code: str,
    store: Path,
) -> tuple[list[dict], list[str]]:
    """Convert one patient's cases, unless they are finished already.

    Parameters
    ----------
    patient : RawPatient
    cohort : str
        The cohort's name, first part of the case's.
    read : callable
        The format's reader of a patient and a label map.
    label_map : dict
        Value of LVBP, LVM and RVBP in the source.
    code : str
        Digest of the converting code; with another one, a finished study is converted again.
    store : Path
        The study goes to its folder ``{patient}``: images/{case}_0000.nii.gz, labels/{case}.nii.gz and its rows.

    Returns
    -------
    rows : list of dict
        The cases' rows of cases.csv; empty if there is a fault.
    faults : list of str
        What keeps the patient from being converted.
    """
    if patient.excluded:
        left_out = {"excluded": True, "reason": patient.excluded}
        return [_about(patient, cohort, phase) | left_out for phase in PHASES], []
    if patient.fault:
        return [], [patient.fault]
    folder = store / safe_name(patient.name)
    made_from = source_digest([code, cohort, label_map, repr(patient)], source_files(patient))
    rows = load_rows(folder, made_from)
    if rows is None:
        try:
            rows = _convert(patient, cohort, read(patient, label_map), folder)
        except CollectedErrors as fault:
            return [], fault.faults
        except InputError as fault:
            return [], [str(fault)]
        save_rows(folder, made_from, rows)
    return rows, []


def _convert(patient: RawPatient, cohort: str, study: Study, folder: Path) -> list[dict]:
    stacks = study.stacks.values()
    direction = decide_direction([stack.affine for stack in stacks], [stack.label for stack in stacks])
    shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for phase, stack in study.stacks.items():
        row = _about(patient, cohort, phase) | study.about
        rows.append(row | _write_case(stack, direction, row["case"], folder))
    return rows


def _about(patient: RawPatient, cohort: str, phase: str) -> dict:
    name = safe_name(patient.name)
    return {
        "case": f"{cohort}_{name}_{phase}",
        "patient": name,
        "phase": phase,
        "group": patient.group,
        "vendor": patient.vendor,
    }


def _write_case(stack: Stack, direction: Direction, case: str, folder: Path) -> dict:
    image, label, affine = stack.image, stack.label, stack.affine
    if direction.flipped:
        image, affine = reverse_slices(image, stack.affine)
        label, _ = reverse_slices(label, stack.affine)
    for voxels, name in ((image, f"images/{case}_0000.nii.gz"), (label, f"labels/{case}.nii.gz")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_volume(voxels, affine, folder / name)
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0).round(6).tolist()
    return {
        "excluded": False,
        "slices": image.shape[2],
        **dict(zip(("spacing_x_mm", "spacing_y_mm", "spacing_z_mm"), spacing_mm, strict=True)),
        "flipped": direction.flipped,
        "direction_from": direction.source,
        "repairs": ";".join([*stack.repairs, *filter(None, [direction.note])]),
        "frame": stack.frame,
    }
