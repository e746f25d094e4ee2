"""Batches that depend on their number alone, however many processes draw them."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from torch.utils.data import DataLoader, Dataset

from cmrslices.runtime.interruption import block_signals, end_with_parent


class SeededBatches(Dataset):
    """Batches of an nnU-Net loader, by number.

    Parameters
    ----------
    loader : nnUNetDataLoader
        Draws and augments from the global random states.
    seed, stream : int
        With a batch's number, they seed those states: the same three give the same batch.
    """

    def __init__(self, loader: object, seed: int, stream: int) -> None:
        self._loader = loader
        self._seed = seed
        self._stream = stream

    def __getitem__(self, number: int) -> dict:
        """Batch `number`, as nnU-Net's loader makes it."""
        seed_everything(self._seed, self._stream, number)
        return self._loader.generate_train_batch()


def seed_everything(*key: int) -> None:
    """Seed Python's, NumPy's and torch's global random states from a key of integers."""
    state = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(state[0]))
    np.random.seed(state[1])
    torch.manual_seed(int(state[2]))


def batches(loader: object, seed: int, stream: int, numbers: range, workers: int, pin: bool) -> Iterator[dict]:
    """Batches in the order of `numbers`, drawn ahead by `workers` processes (0: in this one).

    Parameters
    ----------
    loader : nnUNetDataLoader
        What is drawn.
    seed, stream : int
        See `SeededBatches`.
    numbers : range
        Numbers of the batches; a resumed training starts where it stopped.
    workers : int
        Processes.
    pin : bool
        Whether the batches go to a GPU.
    """
    loading = DataLoader(
        SeededBatches(loader, seed, stream),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
        worker_init_fn=end_with_parent,
    )
    with block_signals():
        return iter(loading)


def without_timing(transforms: object) -> object:
    """nnU-Net's augmentation, with one way to blur.

    Its blur times two ways, whose results differ in the last bits, and takes the faster one: on another run, the other.

    Parameters
    ----------
    transforms : ComposeTransforms
        Changed in place, and returned.
    """
    for random_transform in transforms.transforms:
        blur = getattr(random_transform, "transform", None)
        if isinstance(blur, GaussianBlurTransform):
            blur.benchmark = False
    return transforms
