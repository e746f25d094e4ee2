"""The regions of slices by the head of a joint model, as probabilities in the form of the classifiers'."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pandas as pd
import torch
from tqdm import tqdm

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES
from cmrslices.prediction.parts import Stack, parts_of
from cmrslices.prediction.sliding_window import Segmenter, load_segmenter, region_probabilities
from cmrslices.runtime.devices import Precision, autocast, job_device
from cmrslices.segmentation.preprocessed import kept_slices, read_ahead

COLUMNS = ["case", "slice", *SLICE_CLASSES]


class NamedStack(NamedTuple):
    """A preprocessed case and its name."""

    case: str
    stack: Stack


def name_regions(
    weights: str,
    store: str,
    splits: str,
    mirroring: bool,
    precision: Precision,
    threads: int,
    probabilities: str,
) -> None:
    """Write the region probabilities of every slice of a cohort's validation and test cases, by a joint model's head.

    Threads read the next cases while the network is at work.

    Parameters
    ----------
    weights : path
        The model's checkpoint.
    store, splits, mirroring, precision, threads
        As in `cmrslices.prediction.cohort.predict_cohort`.
    probabilities : path
        Written: ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`.

    Raises
    ------
    InputError
        The model is not joint.
    """
    torch.set_num_threads(threads)
    device = job_device(precision)
    model, segmenter = load_segmenter(weights, mirroring, device)
    (part,) = parts_of({model: segmenter}, store, None)
    cases = cases_of(read_splits(splits), "validation", "test")

    def read(case: str) -> NamedStack:
        return NamedStack(case, part.read(case, device))

    found = []
    with ThreadPoolExecutor(threads) as pool, autocast(device, precision), tqdm(total=len(cases), unit="case") as done:
        for group in read_ahead(read, cases, pool):
            found += [table_of_regions(*named, segmenter, device) for named in group]
            done.update(len(group))
    table = pd.concat(found) if found else pd.DataFrame(columns=COLUMNS)
    table.to_csv(probabilities, index=False, columns=COLUMNS, float_format="%.6f")


def table_of_regions(case: str, stack: Stack, segmenter: Segmenter, device: torch.device) -> pd.DataFrame:
    """Return the region probabilities of all slices of one case.

    Parameters
    ----------
    case : str
        Its name.
    stack : Stack
    segmenter : Segmenter
        Of a joint model.
    device : torch.device
        Where its network is.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`, a row per slice of the original image. Slices
        that nnU-Net cropped away are non-cardiac.
    """
    table = pd.DataFrame(0.0, index=range(stack.length), columns=list(SLICE_CLASSES))
    table[NON_CARDIAC] = 1.0
    kept = region_probabilities(stack.voxels.to(device), segmenter)
    table.loc[list(kept_slices(stack.properties))] = kept.cpu().numpy()
    return table.assign(case=case).rename_axis("slice").reset_index()
