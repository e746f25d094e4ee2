"""Volumes of the labels in each slice of every case that an approach has segmented."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.cohorts.regions import labelled_areas
from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.parallel import map_progress

VOLUMES_ML = [f"{label}_ml" for label in LABELS]
"""Columns of the volumes of the labels."""


def slice_volumes(cases: pd.DataFrame, labels: str | Path, threads: int) -> list[np.ndarray]:
    """Measure the label map of each case: areas times the distance of the slice centres, without end caps.

    Parameters
    ----------
    cases : DataFrame
        Rows of cases.csv: case, spacing_z_mm.
    labels : path
        Folder with ``{case}.nii.gz``, slice 0 at the base.
    threads : int
        Cases measured at once.

    Returns
    -------
    list of (slices, labels) array
        In ml, of each case, in the order of the rows; labels in the order of `LABELS`.

    Raises
    ------
    InputError
        A label map is missing or cannot be read, or a distance of slice centres is not above 0.
    """
    for case, distance_mm in zip(cases["case"], cases["spacing_z_mm"], strict=True):
        if not 0 < distance_mm < np.inf:
            raise InputError(
                f"{case}: the distance of its slices (spacing_z_mm in cases.csv) is {distance_mm:g}; correct the "
                "header of its image, or exclude the patient"
            )
    paths: Sequence[Path] = [Path(labels) / f"{case}.nii.gz" for case in cases["case"]]
    areas_mm2 = map_progress(labelled_areas, paths, threads, unit="case")
    return [areas * distance / 1000 for areas, distance in zip(areas_mm2, cases["spacing_z_mm"], strict=True)]
