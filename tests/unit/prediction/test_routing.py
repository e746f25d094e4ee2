"""Routers: which model segments which slice."""

import pandas as pd
import pytest

from cmrslices.labels import SLICE_CLASSES
from cmrslices.prediction.routing import constant_router, make_router, mixing_router, read_regions, region_router
from cmrslices.runtime.errors import InputError

MODELS = {"base": "b", "middle": "m", "apex": "a", "non-cardiac": "baseline"}


def regions_of(case, *regions):
    return pd.DataFrame({"case": case, "slice": range(len(regions)), "region": regions})


def weights_of(case, *rows):
    """Weights of the slices of one case, in the order non-cardiac, base, middle, apex."""
    return pd.DataFrame({"case": case, "slice": range(len(rows))}).join(pd.DataFrame(rows, columns=[*SLICE_CLASSES]))


def test_the_constant_router_names_one_model_for_every_slice():
    assert constant_router("baseline")("any", 3) == [{"baseline": 1}] * 3


def test_the_region_router_names_the_model_of_each_slices_region():
    route = region_router(regions_of("x", "non-cardiac", "base", "middle", "apex"), MODELS)
    assert route("x", 4) == [{"baseline": 1}, {"b": 1}, {"m": 1}, {"a": 1}]


def test_the_mixing_router_gives_a_model_the_weights_of_all_of_its_regions():
    models = {**MODELS, "apex": "baseline"}
    route = mixing_router(weights_of("x", [0.1, 0.2, 0.3, 0.4]), models, floor=0)
    assert route("x", 1) == [pytest.approx({"baseline": 0.5, "b": 0.2, "m": 0.3})]


def test_models_below_the_floor_are_left_out_and_the_others_scaled():
    route = mixing_router(weights_of("x", [0.01, 0.04, 0.19, 0.76]), MODELS, floor=0.05)
    assert route("x", 1) == [pytest.approx({"m": 0.2, "a": 0.8})]


def test_of_equal_weights_none_is_left_out_by_the_highest_floor():
    route = mixing_router(weights_of("x", [0.25] * 4), MODELS, floor=0.25)
    assert route("x", 1) == [dict.fromkeys(["baseline", "b", "m", "a"], 0.25)]


def test_a_region_that_is_certain_gives_one_model_of_weight_1_whatever_the_floor():
    for floor in (0, 0.25):
        assert mixing_router(weights_of("x", [0, 0, 1, 0]), MODELS, floor)("x", 1) == [{"m": 1}]


def test_weights_that_do_not_match_the_case_are_an_error_that_names_it():
    with pytest.raises(InputError, match="x: the regions do not match its 2 slices"):
        mixing_router(weights_of("x", [0, 0, 1, 0]), MODELS, 0)("x", 2)


def test_an_approach_with_soft_mixing_reads_the_weights(tmp_path):
    weights_of("NA", [0.5, 0.5, 0, 0], [0, 0, 1, 0]).assign(region="base").to_csv(tmp_path / "file.csv", index=False)
    approach = {"router": "classifier", "models": MODELS, "mixing": "soft", "floor": 0.05}
    assert make_router(approach, tmp_path / "file.csv")("NA", 2) == [{"b": 0.5, "baseline": 0.5}, {"m": 1}]


def test_the_order_of_rows_does_not_matter():
    route = region_router(regions_of("x", "base", "middle", "apex")[::-1], MODELS)
    assert route("x", 3) == [{"b": 1}, {"m": 1}, {"a": 1}]


@pytest.mark.parametrize(("case", "slices"), [("x", 4), ("y", 3)])
def test_regions_that_do_not_match_the_case_are_an_error_that_names_it(case, slices):
    route = region_router(regions_of("x", "base", "middle", "apex"), MODELS)
    with pytest.raises(InputError, match=case):
        route(case, slices)


def test_an_approach_with_a_constant_router_reads_no_regions():
    assert make_router({"router": "constant", "model": "baseline"}, None)("any", 2) == [{"baseline": 1}] * 2


@pytest.mark.parametrize("router", ["reference", "classifier"])
def test_every_other_router_reads_the_same_kind_of_file(tmp_path, router):
    regions_of("x", "non-cardiac", "base").to_csv(tmp_path / "regions.csv", index=False)
    route = make_router({"router": router, "models": MODELS}, tmp_path / "regions.csv")
    assert route("x", 2) == [{"baseline": 1}, {"b": 1}]


def test_of_a_file_with_more_columns_only_case_slice_and_region_are_read(tmp_path):
    regions = regions_of("x", "base", "apex")
    regions.assign(patient="1", position=[0.0, 1.0]).to_csv(tmp_path / "slices.csv", index=False)
    pd.testing.assert_frame_equal(read_regions(tmp_path / "slices.csv"), regions)


def test_a_case_that_is_called_as_a_number_or_a_missing_value_keeps_its_name(tmp_path):
    regions = pd.concat([regions_of("007", "base"), regions_of("NA", "apex")], ignore_index=True)
    regions.to_csv(tmp_path / "slices.csv", index=False)
    assert read_regions(tmp_path / "slices.csv")["case"].tolist() == ["007", "NA"]
