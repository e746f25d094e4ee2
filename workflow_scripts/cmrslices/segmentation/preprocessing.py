"""Unseen cases as nnU-Net preprocesses them: once, for the classifiers and for every approach."""

import json
from collections import deque
from functools import partial
from pathlib import Path

from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import check_volume
from cmrslices.runtime.parallel import map_progress
from cmrslices.segmentation.preprocessed import Unseen, write_unseen


def preprocess_cohort(plans: str, dataset: str, images: str, splits: str, threads: int, store: str) -> None:
    """Preprocess the validation and test cases of a cohort by the training cohort's plan.

    Parameters
    ----------
    plans, dataset : path
        nnU-Net's plans file and ``dataset.json`` of the training cohort.
    images : path
        Folder of ``{case}_0000.nii.gz``.
    splits : path
        The cohort's ``splits.csv``.
    threads : int
        Processes; each holds one case at a time.
    store : path
        Folder to make; `cmrslices.segmentation.preprocessed` reads it.

    Raises
    ------
    InputError
        An image cannot be read.
    """
    cases = cases_of(read_splits(splits), "validation", "test")
    Path(store).mkdir(parents=True)
    content = json.loads(Path(dataset).read_text())
    content.pop("dataset", None)  # each process would get the training cohort's files with every case
    of_case = partial(
        _preprocess_case, images=Path(images), manager=PlansManager(str(plans)), dataset=content, store=Path(store)
    )
    deque(map_progress(of_case, cases, threads, unit="case"), maxlen=0)


def preprocess(image: Path, plans: PlansManager, dataset: dict) -> Unseen:
    """Read, crop, normalise and resample one image, as nnU-Net's 2D configuration does.

    Parameters
    ----------
    image : path
        A case's image.
    plans, dataset
        nnU-Net's plans, and the content of ``dataset.json``.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    check_volume(image)
    try:
        voxels, _, properties = DefaultPreprocessor(verbose=False).run_case(
            [str(image)], None, plans, plans.get_configuration("2d"), dataset
        )
    except RuntimeError as fault:  # SimpleITK's
        reason = str(fault).strip().splitlines()[-1]
        raise InputError(f"{image}: cannot be read ({reason}); convert its cohort again") from None
    return Unseen(voxels, properties)


def _preprocess_case(case: str, images: Path, manager: PlansManager, dataset: dict, store: Path) -> None:
    write_unseen(store, case, preprocess(images / f"{case}_0000.nii.gz", manager, dataset))
