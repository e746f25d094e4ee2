"""Routers: which model segments which slice."""

import pandas as pd
import pytest
import yaml

from cmrslices.prediction.routing import classified_regions, constant_router, make_router, region_router
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


def test_a_classified_slice_has_its_most_probable_region():
    probabilities = pd.DataFrame(
        {
            "case": "x",
            "slice": [0, 1],
            "non-cardiac": [0.1, 0.4],
            "base": [0.6, 0.3],
            "middle": [0.3, 0.2],
            "apex": [0.0, 0.1],
        }
    )
    assert classified_regions(probabilities)["region"].tolist() == ["base", "non-cardiac"]


def test_the_classifier_router_reads_the_selected_networks_probabilities(tmp_path):
    selected = tmp_path / "selected.yaml"
    selected.write_text(yaml.safe_dump({"network": "second"}))
    files = [str(selected)]
    for network, region in (("first", "base"), ("second", "apex")):
        table = {"case": ["x"], "slice": [0], "non-cardiac": [0], "base": [0], "middle": [0], "apex": [0], region: [1]}
        path = tmp_path / network / "acdc.csv"
        path.parent.mkdir()
        pd.DataFrame(table).to_csv(path, index=False)
        files.append(str(path))
    route = make_router({"router": "classifier", "models": MODELS}, files, "acdc")
    assert route("x", 1) == ["a"]


def test_the_reference_router_reads_the_reference_regions(tmp_path):
    regions_of("x", "non-cardiac", "base").to_csv(tmp_path / "slices.csv", index=False)
    route = make_router({"router": "reference", "models": MODELS}, [str(tmp_path / "slices.csv")], "acdc")
    assert route("x", 2) == ["baseline", "b"]
