"""One patient's DICOM study and workspace to the stacks of ED and ES."""

import contextlib
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cmrslices.cohorts.convert.cvi42.contours import fill
from cmrslices.cohorts.convert.cvi42.headers import read_frames
from cmrslices.cohorts.convert.cvi42.phases import Contours, find_oddities, find_phases
from cmrslices.cohorts.convert.cvi42.pixels import read_pixels
from cmrslices.cohorts.convert.cvi42.stack import CineStack, find_stack
from cmrslices.cohorts.convert.cvi42.workspace import find_workspace, read_workspace
from cmrslices.cohorts.convert.raw import RawPatient
from cmrslices.cohorts.convert.volumes import Stack, Study, check_image, check_labelled_slices
from cmrslices.runtime.errors import InputError

LIBRARY = Path(__file__).parents[3]


def read_study(patient: RawPatient, _label_map: dict[str, int]) -> Study:
    """Read the short-axis cine at ED and ES, and the label maps of its contours.

    Headers are read once, pixels of the two phases only. Nothing of the header but geometry, timing, make,
    model and field strength is returned or named in an error.

    Parameters
    ----------
    patient : RawPatient
        Its source is the patient's folder.

    Raises
    ------
    InputError
        Anything that keeps the study from being two readable, labelled stacks.
    """
    try:
        return _read_study(patient.source)
    except InputError:
        raise
    except Exception as fault:
        # The text of a foreign error may hold what a header says of the patient.
        where = traceback.extract_tb(fault.__traceback__)
        own = [line for line in where if Path(line.filename).is_relative_to(LIBRARY)][-1]
        place = f"{Path(own.filename).name}:{own.lineno}"
        raise InputError(f"the study: unexpected {type(fault).__name__} at {place}; report it") from None


def _read_study(folder: Path) -> Study:
    workspace = find_workspace(folder)
    contours = read_workspace(workspace)
    frames, scanner, notes = read_frames(folder)
    stack = find_stack(frames, contours)
    drawn = [[contours.get(frame.key, {}) for frame in times] for times in stack.frames]
    with _named(workspace.relative_to(folder)):
        phases = find_phases(drawn)
    notes += stack.notes + find_oddities(drawn, phases, stack.frames[0][0].spacing_mm)
    stacks = {
        phase: _read_stack(folder, workspace.relative_to(folder), stack, drawn, time, notes)
        for phase, time in phases.items()
    }
    return Study(stacks, {**asdict(scanner), "stack": stack.choice})


def _read_stack(folder: Path, workspace: Path, stack: CineStack, drawn: Contours, time: int, notes: tuple) -> Stack:
    images, labels = [], []
    for times, contours in zip(stack.frames, drawn, strict=True):
        frame = times[time]
        images.append(read_pixels(folder, frame))
        with _named(f"{workspace}: on {frame.file}"):
            labels.append(fill(contours[time], frame.matrix))
    image, label = np.stack(images, axis=-1), np.stack(labels, axis=-1)
    check_image(image, Path(stack.frames[0][time].file))
    check_labelled_slices(label, workspace)
    return Stack(image, label, stack.affine, notes, time)


@contextlib.contextmanager
def _named(file: Path | str) -> Iterator[None]:
    """Put the file before the message of a fault in its contours."""
    try:
        yield
    except InputError as fault:
        raise InputError(f"{file}: {fault}") from None
