"""Routed prediction: each slice of a cohort is segmented by the model that its router names."""

import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from tqdm import tqdm

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.prediction.parts import Part, Stack, parts_of
from cmrslices.prediction.routing import Router, make_router
from cmrslices.prediction.sliding_window import load_segmenter
from cmrslices.runtime.devices import Precision, autocast, best_device
from cmrslices.segmentation.preprocessed import read_ahead


class RoutedCase(NamedTuple):
    """A case, the model of each of its slices from the base, and what the parts of the approach need of it."""

    name: str
    models: list[str]  # also of slices that nnU-Net's cropping removed, and that the stacks lack
    stacks: dict[int, Stack]  # number of each part that segments a slice of the case, to its preprocessed case


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
        To write: the folder of label maps, and the table of case, slice and model.
    store_3d : path or None
        Folder of the cases as preprocessed for 3D models; None where the approach has none.
    """
    torch.set_num_threads(threads)
    device = best_device()
    route = make_router(approach, regions)
    segmenters = dict(load_segmenter(path, mirroring, device) for path in weights)
    parts = parts_of(segmenters, store, store_3d)
    cases = cases_of(read_splits(splits), "test")
    shutil.rmtree(labels, ignore_errors=True)  # what a killed job may have left
    Path(labels).mkdir(parents=True)

    def read(case: str) -> RoutedCase:
        return read_routed_case(case, route, parts, device)

    def write(case: RoutedCase, logits: dict[int, torch.Tensor]) -> None:
        write_labels(logits, case, parts, Path(labels) / f"{case.name}.nii.gz")

    rows: list[tuple[str, int, str]] = []
    writing: list[Future] = []
    with ThreadPoolExecutor(threads) as pool, autocast(device, precision), tqdm(total=len(cases), unit="case") as done:
        for group in read_ahead(read, cases, pool):
            logits = logits_by_part(group, parts, device)
            _wait_for(writing)
            writing = [pool.submit(write, case, of_case) for case, of_case in zip(group, logits, strict=True)]
            rows += [(case.name, index, model) for case in group for index, model in enumerate(case.models)]
            done.update(len(group))
        _wait_for(writing)
    pd.DataFrame(rows, columns=["case", "slice", "model"]).to_csv(routes, index=False)


def read_routed_case(case: str, route: Router, parts: Sequence[Part], device: torch.device) -> RoutedCase:
    """Read one preprocessed case, and find the model of each of its slices.

    Parameters
    ----------
    case : str
        Its name.
    route : Router
        Names the model of each slice.
    parts : sequence of Part
        Of the approach.
    device : torch.device
        Where the case will be segmented.
    """
    stacks = [part.read(case, device) for part in parts]
    models = route(case, stacks[0].length)
    return RoutedCase(case, models, {n: stacks[n] for n, part in enumerate(parts) if part.slices(models)})


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
        stacks, models = [case.stacks[number] for case, _ in own], [case.models for case, _ in own]
        for (_, of_case), logits in zip(own, part.logits(stacks, models, device) if own else (), strict=True):
            of_case[number] = logits
    return found


def write_labels(logits: dict[int, torch.Tensor], case: RoutedCase, parts: Sequence[Part], output: Path) -> None:
    """Write the labels of each slice by its model, on the image's grid.

    Parameters
    ----------
    logits : dict
        See `logits_by_part`.
    case : RoutedCase
    parts : sequence of Part
        Of the approach.
    output : path
        Label map to write.
    """
    maps = {number: parts[number].label_map(case.stacks[number], of_part) for number, of_part in logits.items()}
    first = next(iter(maps))
    labels = maps[first]
    for number, of_part in maps.items():
        own = parts[number].slices(case.models)
        labels[own] = of_part[own]
    plans = parts[first].any_segmenter.plans
    plans.image_reader_writer_class().write_seg(labels, str(output), case.stacks[first].properties)


def _wait_for(writing: list[Future]) -> None:
    """Wait until all files are written; an error in one of the threads is raised here."""
    for one in writing:
        one.result()
