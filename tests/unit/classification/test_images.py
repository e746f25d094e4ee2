"""What the classifier sees of a slice."""

import numpy as np
import pandas as pd
import pytest
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from cmrslices.classification.augmentation import augment
from cmrslices.classification.images import field_of_view, resample
from cmrslices.classification.slices import read_stored_slices
from cmrslices.segmentation.preprocessed import kept_slices


def noted(shape, spacing_mm, low=(0, 0, 0), high=None):
    """The properties that nnU-Net keeps of a stack of this original shape that was cropped to low..high."""
    bounds = zip(low, high or shape, strict=True)
    return {
        "spacing": list(spacing_mm),
        "shape_before_cropping": shape,
        "bbox_used_for_cropping": [list(pair) for pair in bounds],
    }


def test_a_field_as_large_as_the_image_is_the_image():
    image = np.random.default_rng(0).normal(size=(1, 2, 32, 32)).astype(np.float32)
    square = field_of_view(image, noted((2, 32, 32), (10, 2, 2)), side_mm=64, size_px=32)
    assert torch.allclose(square[:, 0], torch.from_numpy(image[0]), atol=1e-5)


def test_the_field_is_cut_from_the_centre():
    image = np.random.default_rng(0).normal(size=(1, 1, 32, 48)).astype(np.float32)
    square = field_of_view(image, noted((1, 32, 48), (10, 2, 2)), side_mm=32, size_px=16)
    assert torch.allclose(square[0, 0], torch.from_numpy(image[0, 0, 8:24, 16:32]), atol=1e-5)


def test_the_field_keeps_the_centre_of_the_image_before_nnunets_crop():
    whole = np.random.default_rng(0).normal(size=(1, 1, 32, 32)).astype(np.float32)
    cropped = whole[:, :, 4:30, 2:32]
    properties = noted((1, 32, 32), (10, 2, 2), low=(0, 4, 2), high=(1, 30, 32))
    square = field_of_view(cropped, properties, side_mm=32, size_px=16)
    assert torch.allclose(square[0, 0], torch.from_numpy(whole[0, 0, 8:24, 8:24]), atol=1e-5)


def test_the_field_has_its_size_in_mm_whatever_the_resampled_spacing():
    disc = np.hypot(*np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5)) * 2 < 40  # radius 40 mm
    coarse_header = noted((1, 32, 32), (10, 4, 4))  # resampled by nnU-Net from 4 mm to 2 mm
    square = field_of_view(disc[None, None].astype(np.float32), coarse_header, side_mm=100, size_px=50)
    assert square.sum().item() * 2 * 2 == pytest.approx(np.pi * 40**2, rel=0.01)


def test_outside_of_the_image_each_slice_continues_with_its_minimum():
    image = np.stack([np.full((16, 16), 3.0), np.full((16, 16), 5.0)])[None].astype(np.float32)
    square = field_of_view(image, noted((2, 16, 16), (10, 1, 1)), side_mm=32, size_px=32)
    assert torch.equal(square[0].unique(), torch.tensor([3.0])) and torch.equal(square[1].unique(), torch.tensor([5.0]))


def test_shrinking_averages_instead_of_skipping_pixels():
    chequers = (np.indices((64, 64)).sum(axis=0) % 2)[None, None].astype(np.float32)
    square = field_of_view(chequers, noted((1, 64, 64), (10, 1, 1)), side_mm=64, size_px=16)
    assert torch.allclose(square, torch.full_like(square, 0.5), atol=1e-5)


def test_slices_cropped_away_shift_the_original_index():
    assert list(kept_slices(noted((6, 8, 8), (10, 1, 1), low=(2, 0, 0), high=(5, 8, 8)))) == [2, 3, 4]


def test_a_store_is_read_with_each_slices_region_and_without_cropped_slices(tmp_path):
    image = np.arange(3, dtype=np.float32)[None, :, None, None] + np.zeros((1, 3, 16, 16), np.float32)
    properties = noted((5, 16, 16), (10, 1, 1), low=(1, 0, 0), high=(4, 16, 16))
    sizes = {"chunks": (1, 1, 16, 16), "blocks": (1, 1, 16, 16)}
    (tmp_path / "2d").mkdir()
    for case in ("a_ED", "b_ED"):
        nnUNetDatasetBlosc2.save_case(image, np.zeros_like(image), properties, str(tmp_path / "2d" / case), **sizes)
    regions = ["non-cardiac", "base", "middle", "apex", "non-cardiac"]
    table = pd.DataFrame([(c, i, r) for c in ("a_ED", "b_ED") for i, r in enumerate(regions)])
    table.columns = ["case", "slice", "region"]
    slices = read_stored_slices(tmp_path, ["b_ED"], table, side_mm=16, size_px=8, memory_mb=1000)
    assert slices.targets.tolist() == [1, 2, 3]
    assert slices.images[:, 0, 4, 4].tolist() == [0, 1, 2]


def test_augmentation_depends_on_the_generators_state_alone():
    slices = torch.randn(4, 1, 16, 16)
    first, again, other = (augment(slices, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_augmentation_varies_every_slice_in_its_own_way():
    varied = augment(torch.randn(1, 1, 16, 16).expand(5, 1, 16, 16), torch.Generator().manual_seed(0))
    assert len({tuple(slice_.flatten().tolist()) for slice_ in varied}) == 5


def test_augmentation_keeps_the_size_of_a_disc_within_its_scales():
    disc = (torch.hypot(*torch.meshgrid(*[torch.arange(64) - 31.5] * 2, indexing="ij")) < 16).float()
    varied = augment(disc.expand(50, 1, 64, 64), torch.Generator().manual_seed(0))
    middles = (varied.amin(dim=(2, 3), keepdim=True) + varied.amax(dim=(2, 3), keepdim=True)) / 2
    areas = (varied > middles).sum(dim=(1, 2, 3)) / disc.sum()
    assert areas.min() > 0.9 / 1.2**2 and areas.max() < 1.1 / 0.8**2 and areas.std() > 0.1


def test_a_constant_slice_stays_finite_under_augmentation():
    assert augment(torch.zeros(8, 1, 16, 16), torch.Generator().manual_seed(0)).isfinite().all()


def test_resampling_by_the_identity_changes_nothing():
    slices = torch.randn(3, 1, 16, 16)
    identity = torch.eye(2, 3).expand(3, 2, 3)
    assert torch.allclose(resample(slices, identity, 16), slices, atol=1e-5)
