"""nnU-Net's preprocessing: of the training cohort for the trainings, and of each cohort for what networks predict."""

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
from cmrslices.segmentation.preprocessed import PreprocessedCase, write_preprocessed


def preprocess_segmentation(plans: str, raw: str, store: str, threads: int) -> None:
    """Preprocess the training and validation cases with their labels, for all trainings of one configuration.

    Parameters
    ----------
    plans, raw : path
        Plans of one configuration and `dataset.json`.
    store : path
        Folder to make; nnU-Net's data set classes read the folder in it that has the name of the configuration.
    threads : int
        Processes; each holds one case at a time.
    """
    manager = PlansManager(json.loads(Path(plans).read_text()))
    dataset = json.loads(Path(raw).read_text())
    files = dataset.pop("dataset")  # else every process would get the files of all cases with each case
    cases = Path(store) / _configuration(manager)
    cases.mkdir(parents=True)
    of_case = partial(_store_labelled, manager=manager, dataset=dataset, raw_folder=Path(raw).parent, cases=cases)
    deque(map_progress(of_case, list(files.items()), threads, unit="case"), maxlen=0)


def preprocess_cohort(plans: str, dataset: str, images: str, splits: str, threads: int, store: str) -> None:
    """Preprocess the validation and test cases of a cohort, for what networks predict.

    Parameters
    ----------
    plans, dataset : path
        nnU-Net's plans of one configuration and ``dataset.json`` of the training cohort.
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
    content.pop("dataset", None)  # else every process would get the files of all training cases with each case
    of_case = partial(
        _store_unlabelled, images=Path(images), manager=PlansManager(str(plans)), dataset=content, store=Path(store)
    )
    deque(map_progress(of_case, cases, threads, unit="case"), maxlen=0)


def preprocess(image: Path, plans: PlansManager, dataset: dict) -> PreprocessedCase:
    """Read, crop, normalise and resample one image, as nnU-Net does.

    Parameters
    ----------
    image : path
        A case's image.
    plans, dataset
        nnU-Net's plans, of which the first configuration counts, and the content of ``dataset.json``.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    check_volume(image)
    try:
        voxels, _, properties = DefaultPreprocessor(verbose=False).run_case(
            [str(image)], None, plans, plans.get_configuration(_configuration(plans)), dataset
        )
    except RuntimeError as fault:  # SimpleITK's
        reason = str(fault).strip().splitlines()[-1]
        raise InputError(f"{image}: cannot be read ({reason}); convert its cohort again") from None
    return PreprocessedCase(voxels, properties)


def _configuration(plans: PlansManager) -> str:
    """Name of the configuration that was planned; those of models inherit from it."""
    return plans.available_configurations[0]


def _store_labelled(
    case_files: tuple[str, dict], manager: PlansManager, dataset: dict, raw_folder: Path, cases: Path
) -> None:
    case, files = case_files
    images = [str(raw_folder / image) for image in files["images"]]
    label = str(raw_folder / files["label"])
    for file in (*images, label):
        check_volume(file)
    DefaultPreprocessor(verbose=False).run_case_save(
        str(cases / case),
        images,
        label,
        manager,
        manager.get_configuration(_configuration(manager)),
        dataset,
    )


def _store_unlabelled(case: str, images: Path, manager: PlansManager, dataset: dict, store: Path) -> None:
    write_preprocessed(store, case, preprocess(images / f"{case}_0000.nii.gz", manager, dataset))
