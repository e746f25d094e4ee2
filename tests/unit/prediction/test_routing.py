"""Routers: which model segments which slice."""

import pandas as pd
import pytest

from cmrslices.prediction.routing import constant_router, make_router, read_regions, region_router
from cmrslices.runtime.errors import InputError

MODELS = {"base": "b", "middle": "m", "apex": "a", "non-cardiac": "baseline"}


def regions_of(case, *regions):
    return pd.DataFrame({"case": case, "slice": range(len(regions)), "region": regions})


def test_the_constant_router_names_one_model_for_every_slice():
    assert constant_router("baseline")("any", 3) == ["baseline"] * 3


def test_the_region_router_names_the_model_of_each_slices_region():
    route = region_router(regions_of("x", "non-cardiac", "base", "middle", "apex"), MODELS)
    assert route("x", 4) == ["baseline", "b", "m", "a"]


def test_the_order_of_rows_does_not_matter():
    route = region_router(regions_of("x", "base", "middle", "apex")[::-1], MODELS)
    assert route("x", 3) == ["b", "m", "a"]


@pytest.mark.parametrize(("case", "slices"), [("x", 4), ("y", 3)])
def test_regions_that_do_not_match_the_case_are_an_error_that_names_it(case, slices):
    route = region_router(regions_of("x", "base", "middle", "apex"), MODELS)
    with pytest.raises(InputError, match=case):
        route(case, slices)


def test_an_approach_with_a_constant_router_reads_no_regions():
    assert make_router({"router": "constant", "model": "baseline"}, None)("any", 2) == ["baseline"] * 2


@pytest.mark.parametrize("router", ["reference", "classifier"])
def test_every_other_router_reads_the_same_kind_of_file(tmp_path, router):
    regions_of("x", "non-cardiac", "base").to_csv(tmp_path / "regions.csv", index=False)
    route = make_router({"router": router, "models": MODELS}, tmp_path / "regions.csv")
    assert route("x", 2) == ["baseline", "b"]


def test_of_a_file_with_more_columns_only_case_slice_and_region_are_read(tmp_path):
    regions = regions_of("x", "base", "apex")
    regions.assign(patient="1", position=[0.0, 1.0]).to_csv(tmp_path / "slices.csv", index=False)
    pd.testing.assert_frame_equal(read_regions(tmp_path / "slices.csv"), regions)


def test_a_case_that_is_called_as_a_number_or_a_missing_value_keeps_its_name(tmp_path):
    regions = pd.concat([regions_of("007", "base"), regions_of("NA", "apex")], ignore_index=True)
    regions.to_csv(tmp_path / "slices.csv", index=False)
    assert read_regions(tmp_path / "slices.csv")["case"].tolist() == ["007", "NA"]
