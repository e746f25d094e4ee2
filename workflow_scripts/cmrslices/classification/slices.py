"""The slices that a classifier is trained on, in memory, with their regions."""

import math
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from cmrslices.classification.images import field_of_view
from cmrslices.labels import SLICE_CLASSES
from cmrslices.segmentation.nnunet import CASES_IN_STORE
from cmrslices.segmentation.preprocessed import kept_slices

HELD_AS = torch.float16


class Slices(NamedTuple):
    """Slices ``(n, 1, size, size)``, float16, and their classes ``(n,)`` as indices of `SLICE_CLASSES`."""

    images: torch.Tensor
    targets: torch.Tensor


def read_stored_slices(
    store: str | Path, cases: list[str], regions: pd.DataFrame, side_mm: float, size_px: int, memory_mb: float
) -> Slices:
    """Read all slices of some cases from nnU-Net's preprocessed store.

    Slices that nnU-Net cropped away are left out; all of their voxels are zero. If the other slices would take more
    than half of the memory, they are held in a file in the temporary folder (`TMPDIR`), which is mapped into memory and
    vanishes when the process ends.

    Parameters
    ----------
    store : path
        Folder of the preprocessed 2D configuration.
    cases : list of str
        Case names.
    regions : DataFrame
        Columns ``case``, ``slice`` and ``region``.
    side_mm, size_px
        Side of the square field of view, and what it is resampled to.
    memory_mb : float
        Memory of the job.

    Returns
    -------
    Slices
        In the order of `cases`, base to apex.

    Raises
    ------
    OSError
        The disk has no room for that file.
    """
    dataset = nnUNetDatasetBlosc2(str(Path(store) / CASES_IN_STORE), list(cases))
    wanted = regions[regions["case"].isin(cases)].set_index(["case", "slice"])["region"]
    shape = (len(wanted), 1, size_px, size_px)
    fits = math.prod(shape) * HELD_AS.itemsize <= memory_mb * 2**20 / 2
    images = torch.empty(shape, dtype=HELD_AS) if fits else _mapped(shape)
    targets: list[int] = []
    for case in cases:
        image, _, _, properties = dataset.load_case(case)
        slices = field_of_view(image[:], properties, side_mm, size_px)
        images[len(targets) : len(targets) + len(slices)] = slices
        targets += [SLICE_CLASSES.index(wanted[case, index]) for index in kept_slices(properties)]
    return Slices(images[: len(targets)], torch.tensor(targets, dtype=torch.int64))


def on_gpu_if_it_has_room(slices: Slices, device: torch.device) -> Slices:
    """Put slices and classes on the GPU, from which every mini-batch is taken without a copy.

    Slices that would take more than a quarter of the GPU's free memory stay on the CPU; the rest is for the network.
    Their classes, a few kilobytes, are on the GPU in any case.

    Parameters
    ----------
    slices : Slices
        On the CPU.
    device : torch.device
        Where the network is. On a CPU nothing changes.
    """
    if device.type == "cpu":
        return slices
    free_bytes, _ = torch.cuda.mem_get_info()
    fits = slices.images.nbytes <= free_bytes / 4
    return Slices(slices.images.to(device) if fits else slices.images, slices.targets.to(device))


def _mapped(shape: tuple[int, ...]) -> torch.Tensor:
    size_bytes = math.prod(shape) * HELD_AS.itemsize
    print(f"slices: {size_bytes / 2**20:.0f} MB, held in a file in {tempfile.gettempdir()}", flush=True)
    with tempfile.TemporaryFile() as file:
        # Reserve the room now: if the disk were full later, the operating system would kill the process.
        os.posix_fallocate(file.fileno(), 0, size_bytes)
        return torch.from_numpy(np.memmap(file, np.float16, "r+", shape=shape))
