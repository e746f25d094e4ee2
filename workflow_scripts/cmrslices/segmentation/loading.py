"""Batches whose content depends on seed and number only, however many processes draw them."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from torch.utils.data import DataLoader, Dataset

from cmrslices.runtime.interruption import block_signals, end_with_parent


class SeededBatches(Dataset):
    """Batches of an nnU-Net loader, by number.

    Parameters
    ----------
    loader : nnUNetDataLoader
        Draws and augments with Python's, NumPy's and torch's global random states.
    seed, stream : int
        Before a batch is drawn, the random states are seeded from these two and the number of the batch. So the same
        three integers give the same batch. Training and validation are two streams.
    """

    def __init__(self, loader: nnUNetDataLoader, seed: int, stream: int) -> None:
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


def batches(
    loader: nnUNetDataLoader, seed: int, stream: int, numbers: range, workers: int, pin: bool
) -> Iterator[dict]:
    """Batches in the order of `numbers`.

    Parameters
    ----------
    loader, seed, stream
        See `SeededBatches`.
    numbers : range
        Numbers of the batches; a resumed training starts with the first batch that it has not used.
    workers : int
        Processes that draw batches ahead; with 0, this process draws each batch when it is asked for.
    pin : bool
        Whether the batches lie in pinned memory, from which they are copied to a GPU faster.
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


def without_timing(transforms: ComposeTransforms) -> ComposeTransforms:
    """nnU-Net's augmentation without the choice of an algorithm by its speed.

    nnU-Net's blur has two algorithms, whose results differ in the last bits. It times both and uses the faster one, so
    another run may use the other one. Here it always uses the same one.

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
