"""One patient: read ED and ES, put the base first, write both cases."""

from pathlib import Path

import numpy as np

from cmrslices.convert.geometry import reverse_slices
from cmrslices.convert.orientation import Direction, decide_direction
from cmrslices.convert.raw import RawPatient
from cmrslices.convert.volumes import Stack, read_stack, write_volume
from cmrslices.errors import InputError
from cmrslices.labels import PHASES

COLUMNS = (
    "case",
    "patient",
    "phase",
    "excluded",
    "reason",
    "slices",
    "spacing_x_mm",
    "spacing_y_mm",
    "spacing_z_mm",
    "flipped",
    "direction_from",
    "repairs",
    "group",
    "vendor",
)
"""Columns of cases.csv."""


def safe_name(name: str) -> str:
    """Name with letters, digits, ``-`` and ``_`` alone; every other character becomes ``-``."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in name)


def convert_patient(
    patient: RawPatient, cohort: str, label_map: dict[str, int], images: Path, labels: Path
) -> tuple[list[dict], list[str]]:
    """Convert one patient's cases.

    Parameters
    ----------
    patient : RawPatient
    cohort : str
        The cohort's name, first part of the case's.
    label_map : dict
        Value of LVBP, LVM and RVBP in the source.
    images, labels : Path
        Folders that ``{case}_0000.nii.gz`` and ``{case}.nii.gz`` are written to.

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
    stacks, faults = _read_stacks(patient, label_map)
    if faults:
        return [], faults
    try:
        direction = decide_direction(
            [stack.affine for stack in stacks.values()], [stack.label for stack in stacks.values()]
        )
    except InputError as fault:
        return [], [str(fault)]
    rows = []
    for phase, stack in stacks.items():
        row = _about(patient, cohort, phase)
        rows.append(row | _write_case(stack, direction, row["case"], images, labels))
    return rows, []


def _read_stacks(patient: RawPatient, label_map: dict[str, int]) -> tuple[dict[str, Stack], list[str]]:
    if patient.fault:
        return {}, [patient.fault]
    stacks, faults = {}, []
    for raw in patient.cases:
        try:
            stacks[raw.phase] = read_stack(raw, label_map)
        except InputError as fault:
            faults.append(f"{raw.phase}: {fault}")
    return stacks, faults


def _about(patient: RawPatient, cohort: str, phase: str) -> dict:
    name = safe_name(patient.name)
    return {
        "case": f"{cohort}_{name}_{phase}",
        "patient": name,
        "phase": phase,
        "group": patient.group,
        "vendor": patient.vendor,
    }


def _write_case(stack: Stack, direction: Direction, case: str, images: Path, labels: Path) -> dict:
    image, label, affine = stack.image, stack.label, stack.affine
    if direction.flipped:
        image, affine = reverse_slices(image, stack.affine)
        label, _ = reverse_slices(label, stack.affine)
    write_volume(image, affine, images / f"{case}_0000.nii.gz")
    write_volume(label, affine, labels / f"{case}.nii.gz")
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0).round(6)
    return {
        "excluded": False,
        "slices": image.shape[2],
        **dict(zip(("spacing_x_mm", "spacing_y_mm", "spacing_z_mm"), spacing_mm, strict=True)),
        "flipped": direction.flipped,
        "direction_from": direction.source,
        "repairs": ";".join([*stack.repairs, *filter(None, [direction.note])]),
    }
