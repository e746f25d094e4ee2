"""Routed prediction: each slice of a cohort is segmented by the model that its router names."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from acvl_utils.cropping_and_padding.padding import pad_nd_image
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from tqdm import tqdm

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.prediction.routing import Mixture, Router, make_router
from cmrslices.prediction.sliding_window import Segmenter, load_segmenter, routed_logits
from cmrslices.runtime.devices import Precision, autocast, job_device
from cmrslices.segmentation.preprocessed import kept_slices, read_ahead, read_preprocessed

Row = TypeVar("Row")


class RoutedCase(NamedTuple):
    """A preprocessed case and the models of each of its slices, from the base."""

    name: str
    stack: torch.Tensor  # (1, z, y, x), padded to no less than a tile
    unpadded: tuple[slice, ...]
    mixtures: list[Mixture]  # also of slices that nnU-Net's cropping removed, and that the stack lacks
    properties: dict

    @property
    def kept_mixtures(self) -> list[Mixture]:
        """The models of the slices that the stack holds."""
        return [self.mixtures[index] for index in kept_slices(self.properties)]


def predict_cohort(
    approach: dict,
    weights: list[str],
    regions: str | None,
    store: str,
    splits: str,
    mirroring: bool,
    precision: Precision,
    threads: int,
    labels: str,
    routes: str,
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
    store : path
        Folder of preprocessed cases, made by `cmrslices.segmentation.preprocessing.preprocess_cohort`.
    splits : path
        The cohort's `splits.csv`.
    mirroring, precision
        The configuration's keys `segmentation.mirroring` and `precision`.
    threads : int
        Cores to use.
    labels, routes : path
        To write: the folder of label maps, and the table of case, slice, model and weight.
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

    rows = segment_cases(cases, make_router(approach, regions), weights, store, mirroring, precision, threads, write)
    table = pd.DataFrame(rows, columns=["case", "slice", "model", "weight"])
    table.to_csv(routes, index=False)
    slices = len(table[["case", "slice"]].drop_duplicates())
    if slices:
        print(f"{slices} slices, {len(table)} times through a model: {len(table) / slices:.2f} per slice")


def segment_cases(
    cases: Sequence[str],
    route: Router,
    weights: Sequence[str],
    store: str,
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
    weights, store, mirroring, precision, threads
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
    segmenters = dict(load_segmenter(path, mirroring, device) for path in weights)
    segmenter = next(iter(segmenters.values()))  # all share one preprocessing

    def read(case: str) -> RoutedCase:
        return read_routed_case(store, case, route, segmenter, device)

    def finish(case: RoutedCase, logits: torch.Tensor) -> list[Row]:
        return use(case, label_map_of(logits, case, segmenter), segmenter)

    rows: list[Row] = []
    finishing: list[Future[list[Row]]] = []
    with ThreadPoolExecutor(threads) as pool, autocast(device, precision), tqdm(total=len(cases), unit="case") as done:
        for group in read_ahead(read, cases, pool):
            stacks = [case.stack.to(device, non_blocking=True) for case in group]
            logits = routed_logits(stacks, [case.kept_mixtures for case in group], segmenters)
            rows += _rows_of(finishing)
            finishing = [pool.submit(finish, case, of_case) for case, of_case in zip(group, logits, strict=True)]
            done.update(len(group))
        rows += _rows_of(finishing)
    return rows


def read_routed_case(store: str, case: str, route: Router, segmenter: Segmenter, device: torch.device) -> RoutedCase:
    """Read one preprocessed case, find the models of each of its slices, and pad them to the size of a tile.

    Parameters
    ----------
    store : path
        See `predict_cohort`.
    case : str
        Its name.
    route : Router
        Names the models of each slice.
    segmenter : Segmenter
        Gives the size of a tile.
    device : torch.device
        Where the stack will be segmented. For a GPU it is put into pinned memory, from which it is copied faster.
    """
    preprocessed = read_preprocessed(store, case)
    stack, unpadded = pad_nd_image(
        torch.from_numpy(preprocessed.voxels),
        segmenter.configuration.patch_size,
        "constant",
        {"value": 0},
        return_slicer=True,
    )
    stack = stack.pin_memory() if device.type == "cuda" else stack
    return RoutedCase(case, stack, unpadded, route(case, preprocessed.length), preprocessed.properties)


def label_map_of(logits: torch.Tensor, case: RoutedCase, segmenter: Segmenter) -> np.ndarray:
    """Resample a case's logits to its image's grid and take the most probable labels, as nnU-Net does.

    Parameters
    ----------
    logits : Tensor (labels, z, y, x)
        Logits of the padded stack.
    case : RoutedCase
    segmenter : Segmenter
        A model of the approach; all have the same labels and plan.

    Returns
    -------
    (z, y, x) array
        Also of the slices that nnU-Net's cropping removed.
    """
    return convert_predicted_logits_to_segmentation_with_correct_shape(
        logits[:, *case.unpadded[1:]].cpu(),
        segmenter.plans,
        segmenter.configuration,
        segmenter.labels,
        case.properties,
        num_threads_torch=torch.get_num_threads(),  # nnU-Net sets this number; its default would change ours
    )


def _rows_of(finishing: list[Future[list[Row]]]) -> list[Row]:
    """Wait until all are done, and return their rows; an error in one of the threads is raised here."""
    return [row for one in finishing for row in one.result()]
