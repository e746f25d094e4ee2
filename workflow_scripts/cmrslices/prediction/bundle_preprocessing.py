"""Preprocess a cohort for the networks of a bundle."""

from pathlib import Path

from cmrslices.prediction.bundle import DATASET, plans_file
from cmrslices.prediction.bundle_networks import checked_bundle
from cmrslices.segmentation.preprocessing import preprocess_cohort


def preprocess_bundled(bundle: str, images: str, splits: str, threads: int, store: str) -> None:
    """Preprocess a cohort by the plans of a bundle.

    Parameters
    ----------
    bundle : path
        Its folder.
    images, splits, threads
        As in `cmrslices.segmentation.preprocessing.preprocess_cohort`.
    store : path
        Folder to make, with a folder for each of nnU-Net's configurations that the approach needs.

    Raises
    ------
    InputError
        As by `checked_bundle`, or an image cannot be read.
    """
    opened = checked_bundle(bundle)
    for configuration in opened.configurations():
        preprocess_cohort(
            plans=opened.file(plans_file(configuration)),
            dataset=opened.file(DATASET),
            images=images,
            splits=splits,
            threads=threads,
            store=str(Path(store) / configuration),
        )
