"""How often each slice is drawn, by the formula and by the real loader."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from scipy import stats

from cmrslices.labels import SLICE_CLASSES
from cmrslices.segmentation.loading import SeededBatches, batches, seed_everything
from cmrslices.segmentation.sampling import (
    RegionDataLoader,
    RegionDataset,
    SliceSamplingDataLoader,
    WeightedDataset,
    quadratic_weights,
    slice_regions,
    slice_weights,
)

POSITIONS = np.array([np.nan, 0, 0.25, 0.5, 0.75, 1, np.nan, np.nan])
SHAPE = (8, 12, 10)


class OneCase:
    """A data set of one case whose pixels hold their slice's index."""

    identifiers = ("case",)

    def __init__(self):
        self.label = np.zeros((1, *SHAPE), np.int16)
        self.label[0, 1:6, 4:8, 4:8] = 1
        self.label[0, 2:5, 2:4, 2:4] = 2

    def load_case(self, identifier):
        data = np.broadcast_to(np.arange(SHAPE[0], dtype=np.float32)[None, :, None, None], (1, *SHAPE)).copy()
        locations = {label: np.argwhere(self.label == label) for label in (1, 2, 3)}
        properties = {"class_locations": locations, "bbox_used_for_cropping": [[0, 8], [0, 12], [0, 10]]}
        return data, self.label, None, properties


LABEL_MANAGER = SimpleNamespace(all_labels=[0, 1, 2, 3], has_ignore_label=False)


def loader_of(kind, dataset, batch_size=30):
    patch = (8, 8)
    return kind(dataset, batch_size, patch, patch, LABEL_MANAGER, oversample_foreground_percent=0.33)


def drawn_slices(loader, draws):
    """Slices of random and of forced-foreground patches, by the value their pixels hold."""
    random, forced = [], []
    for _ in range(draws // loader.batch_size):
        batch = loader.generate_train_batch()["data"].amax(dim=(1, 2, 3)).numpy().astype(int)
        random += list(batch[:20])
        forced += list(batch[20:])
    return np.array(random), np.array(forced)


def weighted_loader(policy):
    region = np.array(["non-cardiac", "base", "middle", "middle", "middle", "apex", "non-cardiac", "non-cardiac"])
    slices = pd.DataFrame({"case": "case", "slice": range(8), "region": region, "position": POSITIONS})
    return loader_of(SliceSamplingDataLoader, WeightedDataset(OneCase(), slice_weights(policy, slices)))


def p_value(drawn, probabilities):
    observed = np.bincount(drawn, minlength=len(probabilities))
    assert observed[probabilities == 0].sum() == 0
    kept = probabilities > 0
    return stats.chisquare(observed[kept], probabilities[kept] / probabilities[kept].sum() * len(drawn)).pvalue


@pytest.mark.parametrize("ratio", [1, 4, 20])
def test_base_and_apex_weigh_ratio_times_the_middle(ratio):
    weights = quadratic_weights(POSITIONS, ratio)
    assert weights[1] / weights[3] == pytest.approx(ratio)
    assert weights[5] / weights[3] == pytest.approx(ratio)
    assert weights[2] / weights[3] == pytest.approx(1 + (ratio - 1) / 4)


@pytest.mark.parametrize("ratio", [1, 4, 20])
def test_cardiac_weights_sum_to_their_number_and_non_cardiac_slices_keep_weight_one(ratio):
    weights = quadratic_weights(POSITIONS, ratio)
    assert weights[1:6].sum() == pytest.approx(5)
    assert weights[[0, 6, 7]] == pytest.approx(1)


def test_a_case_without_cardiac_slices_is_sampled_uniformly():
    assert quadratic_weights(np.full(4, np.nan), 20) == pytest.approx(np.ones(4))


@pytest.mark.parametrize("ratio", [4, 20])
def test_the_loader_draws_slices_by_the_formula(ratio):
    seed_everything(1, ratio)
    random, forced = drawn_slices(weighted_loader({"sampling": "quadratic", "ratio": ratio}), 6000)
    expected = quadratic_weights(POSITIONS, ratio)
    assert p_value(random, expected) > 0.001
    assert p_value(forced, np.where(np.isnan(POSITIONS), 0, expected)) > 0.001


@pytest.mark.parametrize("ratio", [4, 20])
def test_the_probability_of_a_non_cardiac_slice_is_that_of_uniform_sampling(ratio):
    seed_everything(2, ratio)
    random, _ = drawn_slices(weighted_loader({"sampling": "quadratic", "ratio": ratio}), 6000)
    non_cardiac = int(np.isin(random, [0, 6, 7]).sum())
    assert stats.binomtest(non_cardiac, len(random), 3 / 8).pvalue > 0.001


@pytest.mark.parametrize(("region", "expected"), [("base", {1}), ("middle", {2, 3, 4}), ("apex", {5})])
def test_region_sampling_draws_every_slice_of_the_region_and_no_other(region, expected):
    random, forced = drawn_slices(weighted_loader({"sampling": "region", "region": region}), 300)
    assert set(random) == expected
    assert set(forced) == expected


def test_a_forced_foreground_class_is_drawn_evenly_among_those_in_the_slice():
    seed_everything(3)
    loader = weighted_loader({"sampling": "region", "region": "middle"})
    loader.patch_size = loader.final_patch_size = (1, 1, 1)
    loader.need_to_pad = np.zeros(3, int)
    dataset = OneCase()
    labels = []
    for _ in range(3000):
        data, _, _, properties = loader._data.load_case("case")
        lower, _ = loader.get_bbox(data.shape[1:], True, properties["class_locations"])
        labels.append(dataset.label[(0, *lower)])
    assert set(labels) == {1, 2}
    assert stats.binomtest(labels.count(1), len(labels), 0.5).pvalue > 0.001


def test_cases_without_a_slice_of_the_region_are_left_out():
    slices = pd.DataFrame(
        {"case": ["a", "a", "b"], "slice": [0, 1, 0], "region": ["base", "apex", "base"], "position": 0.0}
    )
    assert list(slice_weights({"sampling": "region", "region": "apex"}, slices)) == ["a"]


def test_weights_follow_the_slices_that_cropping_left():
    cropped = OneCase()
    properties = {"class_locations": {}, "bbox_used_for_cropping": [[2, 6], [0, 12], [0, 10]]}
    cropped.load_case = lambda identifier: (None, None, None, properties)
    dataset = WeightedDataset(cropped, {"case": np.arange(8.0)})
    dataset.load_case("case")
    assert dataset.weights_of_loaded_case().tolist() == [2, 3, 4, 5]


REGION = ["non-cardiac", "base", "middle", "middle", "middle", "apex", "non-cardiac", "non-cardiac"]
SLICES = pd.DataFrame({"case": "case", "slice": range(8), "region": REGION})


def test_regions_of_a_case_are_indices_of_the_slice_classes_in_the_order_of_slices():
    shuffled = SLICES.sample(frac=1, random_state=0)
    assert [SLICE_CLASSES[index] for index in slice_regions(shuffled)["case"]] == REGION


def test_a_batch_tells_the_region_of_each_drawn_slice():
    loader = loader_of(RegionDataLoader, RegionDataset(OneCase(), slice_regions(SLICES)))
    for _ in range(3):
        batch = loader.generate_train_batch()
        drawn = batch["data"].amax(dim=(1, 2, 3)).int().tolist()
        assert [SLICE_CLASSES[index] for index in batch["region"]] == [REGION[index] for index in drawn]
    assert len(set(drawn)) > 3


def test_telling_regions_changes_nothing_in_a_batch():
    ours = SeededBatches(loader_of(RegionDataLoader, RegionDataset(OneCase(), slice_regions(SLICES))), 7, 0)[5]
    stock = SeededBatches(loader_of(nnUNetDataLoader, OneCase()), 7, 0)[5]
    assert ours.keys() - stock.keys() == {"region"}
    assert torch.equal(ours["data"], stock["data"])
    assert torch.equal(ours["target"], stock["target"])


def test_regions_follow_the_slices_that_cropping_left():
    cropped = OneCase()
    properties = {"class_locations": {}, "bbox_used_for_cropping": [[1, 6], [0, 12], [0, 10]]}
    cropped.load_case = lambda identifier: (None, None, None, properties)
    dataset = RegionDataset(cropped, slice_regions(SLICES))
    dataset.load_case("case")
    assert [SLICE_CLASSES[index] for index in dataset.regions_of_loaded_case()] == REGION[1:6]


def test_with_the_uniform_policy_batches_equal_stock_nnunets():
    assert slice_weights({"sampling": "uniform"}, pd.DataFrame()) is None
    ours = SeededBatches(loader_of(nnUNetDataLoader, OneCase()), seed=7, stream=0)[5]
    seed_everything(7, 0, 5)
    stock = loader_of(nnUNetDataLoader, OneCase()).generate_train_batch()
    assert torch.equal(ours["data"], stock["data"])
    assert torch.equal(ours["target"], stock["target"])


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_the_same_however_many_processes_draw_them(workers):
    def draw(count):
        loader = weighted_loader({"sampling": "quadratic", "ratio": 4})
        return [batch["data"] for batch in batches(loader, 1, 0, range(4), count, pin=False)]

    assert all(torch.equal(one, other) for one, other in zip(draw(0), draw(workers), strict=True))


def test_a_resumed_training_sees_the_batches_it_had_not_seen():
    def draw(numbers):
        loader = weighted_loader({"sampling": "quadratic", "ratio": 4})
        return [batch["data"] for batch in batches(loader, 1, 0, numbers, 0, pin=False)]

    assert all(torch.equal(one, other) for one, other in zip(draw(range(4))[2:], draw(range(2, 4)), strict=True))
