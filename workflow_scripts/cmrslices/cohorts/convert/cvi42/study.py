"""One patient's DICOM study and cvi42 workspace: read as the stacks of ED and ES."""

import contextlib
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cmrslices.cohorts.convert.cvi42.cine import Cine, find_cine
from cmrslices.cohorts.convert.cvi42.completeness import (
    check_contoured,
    check_repeats,
    check_sizes,
    note_unknown,
    set_aside_other_studies,
    set_aside_unplaced,
)
from cmrslices.cohorts.convert.cvi42.contours import fill
from cmrslices.cohorts.convert.cvi42.headers import read_frames
from cmrslices.cohorts.convert.cvi42.phases import Contours, find_oddities, find_phases
from cmrslices.cohorts.convert.cvi42.pixels import read_pixels
from cmrslices.cohorts.convert.cvi42.workspace import find_workspace, read_workspace
from cmrslices.cohorts.convert.raw import RawPatient
from cmrslices.cohorts.convert.volumes import LabelledStack, PatientStacks, check_image, check_labelled_slices
from cmrslices.runtime.errors import InputError

LIBRARY = Path(__file__).parents[3]


def read_dicom_stacks(patient: RawPatient) -> PatientStacks:
    """Read the short-axis cine at ED and ES, and fill its contours to label maps.

    Headers are read once, and pixels only of the two phases. Of a header, only geometry, timing, maker, model and field
    strength are returned or named in an error.

    Parameters
    ----------
    patient : RawPatient
        Its source is the patient's folder.

    Raises
    ------
    InputError
        The study does not give two readable, labelled stacks.
    """
    try:
        return _read_folder(patient.source)
    except InputError:
        raise
    except Exception as fault:
        # The text of an error that another library raises may repeat what a header says about the patient.
        where = traceback.extract_tb(fault.__traceback__)
        own = [line for line in where if Path(line.filename).is_relative_to(LIBRARY)][-1]
        place = f"{Path(own.filename).name}:{own.lineno}"
        raise InputError(f"the study: unexpected {type(fault).__name__} at {place}; report it") from None


def _read_folder(folder: Path) -> PatientStacks:
    path = find_workspace(folder)
    file = path.relative_to(folder)
    whole = read_workspace(path)
    headers = read_frames(folder)
    check_repeats(folder, headers.repeats)
    workspace, other_studies = set_aside_other_studies(whole, headers)
    check_contoured(headers.unplaced, workspace.contours)
    cine = find_cine(headers.frames, workspace.contours)
    unplaced = set_aside_unplaced(headers, cine)
    drawn = [[workspace.contours.get(frame.key, {}) for frame in times] for times in cine.frames]
    with _named(file):
        check_sizes(workspace.sizes, cine)
        phases = find_phases(drawn)
    notes = (*headers.notes, *unplaced, *other_studies, *note_unknown(workspace), *cine.notes)
    notes += find_oddities(drawn, phases, cine.frames[0][0].spacing_mm)
    stacks = {phase: _read_time(folder, file, cine, drawn, time, notes) for phase, time in phases.items()}
    return PatientStacks(stacks, {**asdict(headers.scanner), "stack": cine.choice})


def _read_time(folder: Path, workspace: Path, cine: Cine, drawn: Contours, time: int, notes: tuple) -> LabelledStack:
    """Read the images of all slices at one time, and fill their contours."""
    images, labels = [], []
    for times, contours in zip(cine.frames, drawn, strict=True):
        frame = times[time]
        images.append(read_pixels(folder, frame))
        with _named(f"{workspace}: on {frame.file}"):
            labels.append(fill(contours[time], frame.matrix))
    image, label = np.stack(images, axis=-1), np.stack(labels, axis=-1)
    check_image(image, Path(cine.frames[0][time].file))
    check_labelled_slices(label, workspace)
    return LabelledStack(image, label, cine.affine, notes, time)


@contextlib.contextmanager
def _named(file: Path | str) -> Iterator[None]:
    """Put the file's name before the message of a fault in its contours."""
    try:
        yield
    except InputError as fault:
        raise InputError(f"{file}: {fault}") from None
