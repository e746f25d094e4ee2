"""Region probabilities of the slices of validation and test cases."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from cmrslices.classification import networks
from cmrslices.classification.images import field_of_view
from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES
from cmrslices.runtime.checkpoints import read_weights
from cmrslices.runtime.devices import job_device
from cmrslices.segmentation.preprocessed import read_ahead, read_preprocessed

SLICES_PER_PASS = 32


class UnseenCase(NamedTuple):
    """A case to classify.

    Attributes
    ----------
    name : str
    slices : Tensor (n, 1, size, size)
        The slices that nnU-Net's crop to non-zero voxels kept.
    kept : range
        The indices of these slices in the stack.
    length : int
        Number of slices in the stack.
    """

    name: str
    slices: torch.Tensor
    kept: range
    length: int


def classify(
    *,
    weights: str | Path,
    store: str | Path,
    splits: str | Path,
    threads: int,
    probabilities: str | Path,
) -> None:
    """Classify every slice of a cohort's validation and test cases.

    Threads read the next cases while the network classifies the ones before.

    Parameters
    ----------
    weights : path
        As `train_classifier` writes them.
    store : path
        What `cmrslices.segmentation.preprocessing.preprocess_cohort` made of the cohort.
    splits : path
        The cohort's ``splits.csv``.
    threads : int
        CPU threads.
    probabilities : path
        Written: ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`.

    Raises
    ------
    InputError
        The weights or a preprocessed case cannot be read.
    """
    torch.set_num_threads(threads)
    device = job_device("fp32")
    trained = read_weights(weights)
    model = networks.build(trained["network"], trained["image_size_px"])
    model.load_state_dict(trained["state_dict"])
    model.to(device).eval()
    cases = cases_of(read_splits(splits), "validation", "test")

    def read(case: str) -> UnseenCase:
        return read_unseen_slices(store, case, trained["field_of_view_mm"], trained["image_size_px"])

    found = []
    with ThreadPoolExecutor(threads) as pool, tqdm(total=len(cases), unit="case") as done:
        for group in read_ahead(read, cases, pool):
            found += classify_cases(model, group)
            done.update(len(group))
    result = pd.concat(found) if found else pd.DataFrame(columns=["case", "slice", *SLICE_CLASSES])
    result.to_csv(probabilities, index=False, columns=["case", "slice", *SLICE_CLASSES], float_format="%.6f")


def read_unseen_slices(store: str | Path, case: str, side_mm: float, size_px: int) -> UnseenCase:
    """Read the slices of a preprocessed case as the classifier sees them.

    Parameters
    ----------
    store : path
        See `classify`.
    case : str
        Its name.
    side_mm, size_px
        Side of the square field of view, and what it is resampled to.
    """
    unseen = read_preprocessed(store, case)
    slices = field_of_view(unseen.voxels, unseen.properties, side_mm, size_px)
    return UnseenCase(case, slices, unseen.kept, unseen.length)


@torch.inference_mode()
def classify_cases(model: nn.Module, cases: list[UnseenCase]) -> list[pd.DataFrame]:
    """Return the class probabilities of all slices of some cases.

    Returns
    -------
    list of DataFrame
        For each case ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`, a row per slice of the stack.
        Slices that nnU-Net cropped away are non-cardiac.
    """
    device = next(model.parameters()).device
    passes = torch.cat([case.slices for case in cases]).split(SLICES_PER_PASS)
    logits = torch.cat([networks.classify_grey(model, slices.to(device)) for slices in passes])
    probabilities = logits.softmax(dim=1).cpu().split([len(case.slices) for case in cases])
    return [_table(case, of_case) for case, of_case in zip(cases, probabilities, strict=True)]


def _table(case: UnseenCase, probabilities: torch.Tensor) -> pd.DataFrame:
    table = pd.DataFrame(0.0, index=range(case.length), columns=list(SLICE_CLASSES))
    table[NON_CARDIAC] = 1.0
    table.loc[list(case.kept)] = probabilities.numpy()
    return table.assign(case=case.name).rename_axis("slice").reset_index()
