"""One patient's DICOM study without a workspace: read as the stacks of every frame of its short-axis cine."""

import traceback
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cmrslices.cohorts.convert.cvi42.completeness import check_repeats, set_aside_unplaced
from cmrslices.cohorts.convert.cvi42.headers import read_frames
from cmrslices.cohorts.convert.cvi42.pixels import read_pixels
from cmrslices.cohorts.convert.volumes import check_image
from cmrslices.cohorts.unlabelled.short_axis import find_short_axis
from cmrslices.cohorts.unlabelled.stacks import PatientImages, Stack, phase_name
from cmrslices.runtime.errors import InputError

LIBRARY = Path(__file__).parents[2]


def read_study(folder: Path) -> PatientImages:
    """Read every frame of the short-axis cine of a study.

    Headers are read once, and pixels only of the cine. Of a header, only geometry, timing, maker, model and field
    strength are returned or named in an error.

    Parameters
    ----------
    folder : Path
        The patient's folder.

    Raises
    ------
    InputError
        The study does not give one readable short-axis cine.
    """
    try:
        return _read(folder)
    except InputError:
        raise
    except Exception as fault:
        # The text of an error that another library raises may repeat what a header says about the patient.
        own = [
            line for line in traceback.extract_tb(fault.__traceback__) if Path(line.filename).is_relative_to(LIBRARY)
        ]
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        raise InputError(f"the study: unexpected {type(fault).__name__} at {place}; report it") from None


def _read(folder: Path) -> PatientImages:
    headers = read_frames(folder)
    check_repeats(folder, headers.repeats)
    cine = find_short_axis(headers.frames)
    notes = (*headers.notes, *set_aside_unplaced(headers, cine), *cine.notes)
    stacks = {}
    for time in range(len(cine.frames[0])):
        image = np.stack([read_pixels(folder, times[time]) for times in cine.frames], axis=-1)
        check_image(image, Path(cine.frames[0][time].file))
        stacks[phase_name(time)] = Stack(image, cine.affine, time, notes)
    return PatientImages(stacks, {**asdict(headers.scanner), "stack": cine.choice})
