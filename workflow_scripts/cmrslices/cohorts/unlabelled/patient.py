"""One patient without labels: its frames are read, put in order from base to apex, and written."""

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np

from cmrslices.cohorts.convert.finished import load_rows, save_rows, source_digest
from cmrslices.cohorts.convert.geometry import reverse_slices
from cmrslices.cohorts.convert.patient import safe_name
from cmrslices.cohorts.convert.volumes import write_volume
from cmrslices.cohorts.unlabelled.direction import header_direction
from cmrslices.cohorts.unlabelled.layouts import NewPatient, files_of
from cmrslices.cohorts.unlabelled.stacks import Stack, read_images
from cmrslices.cohorts.unlabelled.study import read_study
from cmrslices.runtime.errors import CollectedErrors, InputError


def convert_patient(patient: NewPatient, cohort: str, code: str, store: Path) -> tuple[list[dict], list[str]]:
    """Convert the images of one patient, unless they have been converted already.

    Parameters
    ----------
    patient : NewPatient
    cohort : str
        The cohort's name: the first part of the names of its cases.
    code : str
        Digest of the converting code; after a change of it, the patient is converted again.
    store : Path
        Folder of all converted patients. The files of this one go to ``{patient}/images/{case}_0000.nii.gz``, and the
        rows of cases.csv are kept beside them.

    Returns
    -------
    rows : list of dict
        The rows of the patient's cases in cases.csv, each with the digest of its voxels as ``digest``; of an excluded
        patient a single one, without a phase. Empty if there is a fault.
    faults : list of str
        Why the patient cannot be converted; empty if there is no fault.
    """
    if patient.excluded:
        return [_about(patient, cohort, "") | {"excluded": True, "reason": patient.excluded}], []
    if not patient.source.exists():
        return [], [f"{patient.source}: cannot be opened under this name; if the name is not UTF-8, rename it"]
    if patient.fault:
        return [], [patient.fault]
    folder = store / safe_name(patient.name)
    made_from = source_digest([code, cohort, repr(patient)], files_of(patient))
    rows = load_rows(folder, made_from)
    if rows is None:
        try:
            rows = _convert(patient, cohort, folder)
        except CollectedErrors as fault:
            return [], fault.faults
        except InputError as fault:
            return [], [str(fault)]
        save_rows(folder, made_from, rows)
    return rows, []


def _convert(patient: NewPatient, cohort: str, folder: Path) -> list[dict]:
    read = read_images(patient.images) if patient.images else read_study(patient.source)
    flipped = {header_direction(stack.affine).flipped for stack in read.stacks.values()}
    if len(flipped) > 1:
        raise InputError("the headers of ED and ES run in opposite directions; store both the same way")
    digests = {phase: _digest(stack.image) for phase, stack in read.stacks.items()}
    odd = _equal_frames(digests.values())
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    rows = []
    for phase, stack in read.stacks.items():
        row = _about(patient, cohort, phase) | read.about
        row |= _write(stack, folder / f"images/{row['case']}_0000.nii.gz")
        row["repairs"] = ";".join(filter(None, [row["repairs"], odd]))
        rows.append(row | {"digest": digests[phase]})
    return rows


def _about(patient: NewPatient, cohort: str, phase: str) -> dict:
    name = safe_name(patient.name)
    return {
        "case": "_".join(filter(None, [cohort, name, phase])),
        "patient": name,
        "phase": phase,
        "group": patient.group,
        "vendor": patient.vendor,
    }


def _write(stack: Stack, path: Path) -> dict:
    direction = header_direction(stack.affine)
    image, affine = stack.image, stack.affine
    if direction.flipped:
        image, affine = reverse_slices(image, affine)
    write_volume(image, affine, path)
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0).round(6).tolist()
    return {
        "excluded": False,
        "slices": image.shape[2],
        **dict(zip(("spacing_x_mm", "spacing_y_mm", "spacing_z_mm"), spacing_mm, strict=True)),
        "flipped": direction.flipped,
        "direction_from": direction.source,
        "repairs": ";".join(filter(None, [*stack.notes, direction.note])),
        "frame": stack.frame,
    }


def _digest(voxels: np.ndarray) -> str:
    digest = hashlib.sha1(f"{voxels.shape} {voxels.dtype}".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(voxels).tobytes())
    return digest.hexdigest()


def _equal_frames(digests: Collection[str]) -> str:
    repeated = len(digests) - len(set(digests))
    return f"equal-frames-{repeated}" if repeated else ""
