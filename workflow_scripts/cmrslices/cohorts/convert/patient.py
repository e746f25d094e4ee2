"""One patient: ED and ES are read, put in order from base to apex, and written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cmrslices.cohorts.convert.anatomy import label_finding, measure_case, phase_finding
from cmrslices.cohorts.convert.finished import load_rows, save_rows, source_digest
from cmrslices.cohorts.convert.geometry import reverse_slices
from cmrslices.cohorts.convert.orientation import Direction, decide_direction
from cmrslices.cohorts.convert.raw import RawPatient, source_files
from cmrslices.cohorts.convert.volumes import LabelledStack, PatientStacks, write_volume
from cmrslices.labels import PHASES
from cmrslices.runtime.errors import CollectedErrors, InputError


def safe_name(name: str) -> str:
    """Name of letters, digits, ``-`` and ``_`` only; every other character becomes ``-``.

    Examples
    --------
    >>> safe_name("Müller/2 (b)")
    'M-ller-2--b-'
    """
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in name)


def convert_patient(
    patient: RawPatient,
    cohort: str,
    read: Callable[[RawPatient, dict[str, int]], PatientStacks],
    label_map: dict[str, int],
    code: str,
    store: Path,
) -> tuple[list[dict], list[str]]:
    """Convert one patient's cases, unless they have been converted already.

    Parameters
    ----------
    patient : RawPatient
    cohort : str
        The cohort's name: the first part of the names of its cases.
    read : callable
        The format's `read_patient`.
    label_map : dict
        Value of LVBP, LVM and RVBP in the source.
    code : str
        Digest of the converting code; after a change of it, the patient is converted again.
    store : Path
        Folder of all converted patients. The files of this one go to ``{patient}/images/{case}_0000.nii.gz`` and
        ``{patient}/labels/{case}.nii.gz``, and the rows of cases.csv are kept beside them.

    Returns
    -------
    rows : list of dict
        The rows of the two cases in cases.csv, each with what `measure_case` gives as ``measured``; empty if there is
        a fault.
    faults : list of str
        Why the patient cannot be converted; empty if there is no fault.
    """
    if patient.excluded:
        left_out = {"excluded": True, "reason": patient.excluded}
        return [_about(patient, cohort, phase) | left_out for phase in PHASES], []
    if not patient.source.exists():
        return [], [f"{patient.source}: cannot be opened under this name; if the name is not UTF-8, rename it"]
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


def _convert(patient: RawPatient, cohort: str, read: PatientStacks, folder: Path) -> list[dict]:
    stacks = read.stacks.values()
    measured = {phase: measure_case(s.image, s.label, s.affine) for phase, s in read.stacks.items()}
    exchanged = phase_finding(measured)
    direction = decide_direction([stack.affine for stack in stacks], [stack.label for stack in stacks])
    shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for phase, stack in read.stacks.items():
        row = _about(patient, cohort, phase) | read.about
        row |= _write_case(stack, direction, row["case"], folder)
        row["repairs"] = ";".join(filter(None, [row["repairs"], label_finding(measured[phase]), exchanged]))
        rows.append(row | {"measured": measured[phase]})
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


def _write_case(stack: LabelledStack, direction: Direction, case: str, folder: Path) -> dict:
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
