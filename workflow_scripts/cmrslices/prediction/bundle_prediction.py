"""Segment a cohort with a bundle: the steps of the run that trained it, on the files of the bundle."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from cmrslices.classification.extent_reading import FoundRates, write_extent_regions, write_weighed_regions
from cmrslices.classification.inference import classify
from cmrslices.classification.probabilities import write_selected_regions
from cmrslices.classification.readings import write_classifier_reading
from cmrslices.cohorts.regions import RegionRule
from cmrslices.prediction.bundle import (
    CALIBRATION,
    MANIFEST,
    SELECTED,
    Bundle,
    classifier_file,
    head_calibration_file,
)
from cmrslices.prediction.bundle_networks import checked_bundle
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.prediction.extent import find_extent
from cmrslices.prediction.heads import name_regions


class Cohort(NamedTuple):
    """The preprocessed cases of a cohort, and which of them to segment.

    Attributes
    ----------
    stores : dict of str to str
        nnU-Net's configuration to the folder of the cases as preprocessed for it.
    splits : str
        The cohort's ``splits.csv``.
    """

    stores: dict[str, str]
    splits: str

    def stores_of(self, bundle: Bundle, models: list[str]) -> dict[str, str | None]:
        """The arguments ``store`` and ``store_3d`` of a prediction by some models."""
        needed = bundle.configurations(models)
        names = {"store": "2d", "store_3d": "3d_fullres"}
        return {key: self.stores[name] if name in needed else None for key, name in names.items()}


def predict_bundled(bundle: str, store: str, splits: str, threads: int, labels: str, routes: str, record: str) -> None:
    """Segment the test cases of a cohort with a bundle.

    Parameters
    ----------
    bundle : path
        Its folder.
    store : path
        What `preprocess_bundled` made.
    splits : path
        The cohort's ``splits.csv``.
    threads : int
        Cores to use.
    labels, routes : path
        To write, see `cmrslices.prediction.cohort.predict_cohort`.
    record : path
        To write: a copy of ``bundle.yaml``, which says what made the label maps.

    Raises
    ------
    InputError
        As by `checked_bundle`.
    """
    opened = checked_bundle(bundle)
    cohort = Cohort({name: str(Path(store) / name) for name in opened.configurations()}, splits)
    with TemporaryDirectory() as scratch:
        predict_cohort(
            approach=opened.approach,
            weights=[opened.weights(model) for model in opened.routed],
            regions=named_regions(opened, cohort, threads, Path(scratch)),
            **cohort.stores_of(opened, opened.routed),
            splits=splits,
            mirroring=opened.settings["mirroring"],
            precision=opened.settings["precision"],
            threads=threads,
            labels=labels,
            routes=routes,
        )
    shutil.copyfile(opened.folder / MANIFEST, record)


def named_regions(bundle: Bundle, cohort: Cohort, threads: int, scratch: Path) -> str | None:
    """Write the region of each slice of a cohort as the approach names it.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort
    threads : int
    scratch : Path
        Folder for this file, and for those that it is made from.

    Returns
    -------
    path or None
        None for the router ``constant``, which reads none.
    """
    row = bundle.approach
    if row["router"] == "constant":
        return None
    rule, regions = RegionRule(**bundle.settings["regions"]), str(scratch / "regions.csv")
    probabilities = [_classified(bundle, network, cohort, threads, scratch) for network in bundle.networks]
    if head := row.get("head_of"):
        named, calibration = _named_by_head(bundle, cohort, threads, scratch), bundle.file(head_calibration_file(head))
        # The mean of all is the head itself, because it is the only one.
        write_classifier_reading(row["reading"], "all", None, [head], [named], calibration, rule, regions)
        return regions
    selected = bundle.file(SELECTED) if bundle.networks and row["networks"] == "selected" else None
    if row["router"] == "extent":
        extent, rates = _extent(bundle, cohort, threads, scratch), FoundRates(**bundle.content["rates"])
        if row["probabilities"]:
            calibration = bundle.file(CALIBRATION)
            write_weighed_regions(
                extent, rates, row["networks"], selected, bundle.networks, probabilities, calibration, rule, regions
            )
        else:
            write_extent_regions(extent, rates, rule, regions)
    elif selected and (row["reading"], row["mixing"]) == ("slice", "hard"):  # the paper's, which is not calibrated
        write_selected_regions(selected, bundle.networks, probabilities, regions)
    else:
        calibration = bundle.file(CALIBRATION)
        write_classifier_reading(
            row["reading"], row["networks"], selected, bundle.networks, probabilities, calibration, rule, regions
        )
    return regions


def _classified(bundle: Bundle, network: str, cohort: Cohort, threads: int, scratch: Path) -> str:
    """The file of a network's region probabilities."""
    probabilities = scratch / f"{network}.csv"
    classify(
        weights=bundle.file(classifier_file(network)),
        store=cohort.stores["2d"],
        splits=cohort.splits,
        threads=threads,
        probabilities=probabilities,
    )
    return str(probabilities)


def _named_by_head(bundle: Bundle, cohort: Cohort, threads: int, scratch: Path) -> str:
    """The file of the region probabilities by the head of the approach's joint model."""
    probabilities = str(scratch / "head.csv")
    name_regions(
        weights=bundle.weights(bundle.approach["head_of"]),
        store=cohort.stores["2d"],
        splits=cohort.splits,
        mirroring=bundle.settings["mirroring"],
        precision=bundle.settings["precision"],
        threads=threads,
        probabilities=probabilities,
    )
    return probabilities


def _extent(bundle: Bundle, cohort: Cohort, threads: int, scratch: Path) -> str:
    """The file of the slices in which the approach's model finds a label."""
    model, extent = bundle.approach["extent_of"], str(scratch / "extent.csv")
    find_extent(
        model=model,
        weights=bundle.weights(model),
        **cohort.stores_of(bundle, [model]),
        splits=cohort.splits,
        mirroring=bundle.settings["mirroring"],
        precision=bundle.settings["precision"],
        threads=threads,
        extent=extent,
    )
    return extent
