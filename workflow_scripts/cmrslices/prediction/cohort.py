"""Routed prediction: each slice of a cohort is segmented by the model that its router names."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.prediction.decoders import named_models, with_decoders
from cmrslices.prediction.parts import Part, Stack, parts_of
from cmrslices.prediction.routing import Mixture, Router, make_router
from cmrslices.prediction.sliding_window import Segmenter, load_segmenter
from cmrslices.runtime.devices import Precision, autocast, job_device
from cmrslices.segmentation.preprocessed import read_ahead

Row = TypeVar("Row")


class RoutedCase(NamedTuple):
    """A case, the models of each of its slices from the base, and what the parts of the approach need of it."""

    name: str
    mixtures: list[Mixture]  # also of slices that nnU-Net's cropping removed, and that the stacks lack
    stacks: dict[int, Stack]  # number of each part that segments a slice of the case, to its preprocessed case

    @property
    def properties(self) -> dict:
        """What nnU-Net noted of the image."""
        return next(iter(self.stacks.values())).properties


def predict_cohort(
    approach: dict,
    weights: list[str],
    regions: str | None,
    store: str | None,
    splits: str,
    mirroring: bool,
    precision: Precision,
    threads: int,
    labels: str,
    routes: str,
    store_3d: str | None = None,
) -> None:
    """Segment the test cases of a cohort by one approach.

    A few cases are segmented at a time. Meanwhile, threads read the next cases and write the label maps of the last
    ones.

    Parameters
    ----------
    approach : dict
        A row of the configuration's `approaches`.
    weights : list of path
        Checkpoints of the models that it routes to.
    regions : path or None
        The regions that its router reads, see `make_router`.
    store : path or None
        Folder of cases that `cmrslices.segmentation.preprocessing.preprocess_cohort` preprocessed for 2D models; None
        where the approach has none.
    splits : path
        The cohort's `splits.csv`.
    mirroring, precision
        The configuration's keys `segmentation.mirroring` and `precision`.
    threads : int
        Cores to use.
    labels, routes : path
        To write: the folder of label maps, and the table of case, slice, model and weight.
    store_3d : path or None
        Folder of the cases as preprocessed for 3D models; None where the approach has none.
    """
    cases = cases_of(read_splits(splits), "test")
    shutil.rmtree(labels, ignore_errors=True)  # what a killed job may have left
    Path(labels).mkdir(parents=True)

    def write(case: RoutedCase, label_map: np.ndarray, segmenter: Segmenter) -> list[tuple[str, int, str, float]]:
        output = str(Path(labels) / f"{case.name}.nii.gz")
        segmenter.plans.image_reader_writer_class().write_seg(label_map, output, case.properties)
        return [
            (case.name, index, model, weight)
            for index, mixture in enumerate(case.mixtures)
            for model, weight in mixture.items()
        ]

    route = make_router(named_models(approach), regions)
    rows = segment_cases(cases, route, weights, store, store_3d, mirroring, precision, threads, write)
    table = pd.DataFrame(rows, columns=["case", "slice", "model", "weight"])
    table.to_csv(routes, index=False)
    slices = len(table[["case", "slice"]].drop_duplicates())
    if slices:
        print(f"{slices} slices, {len(table)} times through a model: {len(table) / slices:.2f} per slice")


def segment_cases(
    cases: Sequence[str],
    route: Router,
    weights: Sequence[str],
    store: str | None,
    store_3d: str | None,
    mirroring: bool,
    precision: Precision,
    threads: int,
    use: Callable[[RoutedCase, np.ndarray, Segmenter], list[Row]],
) -> list[Row]:
    """Segment some cases and use their label maps, one after another.

    Parameters
    ----------
    cases : sequence of str
        Their names.
    route : Router
        Names the models of each slice.
    weights, store, store_3d, mirroring, precision, threads
        As in `predict_cohort`.
    use : callable
        Is given a case, its label map (z, y, x) on the grid of its image, and a model of the approach; gives rows of a
        table. It is called in threads.

    Returns
    -------
    list
        The rows of all cases, in the order of the cases.
    """
    torch.set_num_threads(threads)
    device = job_device(precision)
    segmenters = with_decoders(dict(load_segmenter(path, mirroring, device) for path in weights))
    segmenter = next(iter(segmenters.values()))  # all have the same labels
    parts = parts_of(segmenters, store, store_3d)

    def read(case: str) -> RoutedCase:
        return read_routed_case(case, route, parts, device)

    def finish(case: RoutedCase, logits: dict[int, torch.Tensor]) -> list[Row]:
        return use(case, label_map_of(logits, case, parts), segmenter)

    rows: list[Row] = []
    finishing: list[Future[list[Row]]] = []
    with ThreadPoolExecutor(threads) as pool, autocast(device, precision), tqdm(total=len(cases), unit="case") as done:
        for group in read_ahead(read, cases, pool):
            logits = logits_by_part(group, parts, device)
            rows += _rows_of(finishing)
            finishing = [pool.submit(finish, case, of_case) for case, of_case in zip(group, logits, strict=True)]
            done.update(len(group))
        rows += _rows_of(finishing)
    return rows


def read_routed_case(case: str, route: Router, parts: Sequence[Part], device: torch.device) -> RoutedCase:
    """Read one preprocessed case, and find the models of each of its slices.

    Parameters
    ----------
    case : str
        Its name.
    route : Router
        Names the models of each slice.
    parts : sequence of Part
        Of the approach.
    device : torch.device
        Where the case will be segmented.
    """
    stacks = [part.read(case, device) for part in parts]
    mixtures = route(case, stacks[0].length)
    return RoutedCase(case, mixtures, {n: stacks[n] for n, part in enumerate(parts) if part.slices(mixtures)})


def logits_by_part(
    cases: Sequence[RoutedCase], parts: Sequence[Part], device: torch.device
) -> list[dict[int, torch.Tensor]]:
    """Logits of each case by each part of the approach that segments some of its slices.

    Returns
    -------
    list of dict
        For each case, the number of each such part to the logits ``(labels, z, y, x)`` of its padded stack.
    """
    found: list[dict[int, torch.Tensor]] = [{} for _ in cases]
    for number, part in enumerate(parts):
        own = [(case, of_case) for case, of_case in zip(cases, found, strict=True) if number in case.stacks]
        stacks, mixtures = [case.stacks[number] for case, _ in own], [case.mixtures for case, _ in own]
        for (_, of_case), logits in zip(own, part.logits(stacks, mixtures, device) if own else (), strict=True):
            of_case[number] = logits
    return found


def label_map_of(logits: dict[int, torch.Tensor], case: RoutedCase, parts: Sequence[Part]) -> np.ndarray:
    """Put the labels of each slice by its models together, on the image's grid.

    Parameters
    ----------
    logits : dict
        See `logits_by_part`.
    case : RoutedCase
    parts : sequence of Part
        Of the approach.

    Returns
    -------
    (z, y, x) array
        Also of the slices that nnU-Net's cropping removed.
    """
    maps = {number: parts[number].label_map(case.stacks[number], of_part) for number, of_part in logits.items()}
    labels = next(iter(maps.values()))
    for number, of_part in maps.items():
        own = parts[number].slices(case.mixtures)
        labels[own] = of_part[own]
    return labels


def _rows_of(finishing: list[Future[list[Row]]]) -> list[Row]:
    """Wait until all are done, and return their rows; an error in one of the threads is raised here."""
    return [row for one in finishing for row in one.result()]
