"""A demo cohort: patients made in parallel, written in one raw layout."""

from functools import partial
from pathlib import Path

from cmrslices.demo.layouts import WRITERS
from cmrslices.demo.patients import make_patient
from cmrslices.runtime.parallel import map_progress
from cmrslices.runtime.whole_folders import whole_folder

CONTRACTIONS = {"acdc": (0.0, 1.0), "mnms": (0.4, 0.0, 1.0), "nifti": (0.0, 1.0), "cvi42": (0.0, 1.0)}
"""Share of the contraction in each frame that is made: 0 is ED, 1 is ES. M&Ms has another frame, without labels."""


def make_demo_cohort(folder: str | Path, cohort: str, raw_format: str, patients: int, seed: int, threads: int) -> None:
    """Write a cohort of synthetic patients. All arguments except `threads` together fix every voxel.

    Parameters
    ----------
    folder : path
        The cohort's raw folder. It appears only when it is complete.
    cohort : str
        The cohort's name.
    raw_format : {"acdc", "mnms", "nifti", "cvi42"}
        Decides the layout of the files, the order of the labels, and the scanners.
    patients : int
        Number of patients.
    seed : int
        The workflow's seed.
    threads : int
        Patients made at the same time.
    """
    make = partial(make_patient, cohort, raw_format, seed=seed, contractions=CONTRACTIONS[raw_format])
    with whole_folder(folder) as made:
        WRITERS[raw_format](map_progress(make, range(patients), threads, "patient"), made)
    print(f"{cohort}: {patients} patients written to {folder} as {raw_format}")
