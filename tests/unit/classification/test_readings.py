"""How a router reads the classifiers, and how many slices each way gets right."""

import numpy as np
import pandas as pd
import pytest
import yaml

from cmrslices.classification.calibration import calibrated
from cmrslices.classification.probabilities import selected_regions
from cmrslices.classification.readings import (
    chosen_probabilities,
    read_reading,
    regions_by_reading,
    write_classifier_reading,
)
from cmrslices.classification.readings_table import WARNING, regions_by_index, shares_right, write_readings
from cmrslices.classification.stack_reading import stack_marginals
from cmrslices.cohorts.regions import PAPER
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES
from cmrslices.runtime.errors import InputError

HEART = ["base", "middle", "middle", "middle", "apex"]
GAP = ["base", "middle", NON_CARDIAC, "middle", "apex"]


def certain(*regions, case="x"):
    """Probabilities of the slices of one case: 0.97 for these regions."""
    table = pd.DataFrame({"case": case, "slice": range(len(regions))})
    return table.assign(**{name: [0.97 if region == name else 0.01 for region in regions] for name in SLICE_CLASSES})


@pytest.fixture
def networks(tmp_path):
    """Two networks: the selected one sees a gap in the heart, the other one sees nothing of the heart."""
    (tmp_path / "selected.yaml").write_text(yaml.safe_dump({"network": "second"}))
    certain(*[NON_CARDIAC] * 5).to_csv(tmp_path / "first.csv", index=False)
    certain(*GAP).to_csv(tmp_path / "second.csv", index=False)
    return {name: tmp_path / f"{name}.csv" for name in ("first", "second")}


@pytest.fixture
def selected(tmp_path, networks):
    return tmp_path / "selected.yaml"


def read(reading, chosen, selected, networks):
    return regions_by_reading(reading, chosen_probabilities(chosen, selected, networks), PAPER)


def test_the_papers_reading_is_the_selected_networks_slice_by_slice(selected, networks):
    assert read("slice", "selected", selected, networks).equals(selected_regions(selected, networks))


def test_the_stack_reading_fills_the_gap_that_the_slices_leave(selected, networks):
    assert read("slice", "selected", selected, networks)["region"].tolist() == GAP
    assert read("stack", "selected", selected, networks)["region"].tolist() == HEART


def test_of_all_networks_the_mean_is_read_and_nothing_is_selected(networks):
    mean = chosen_probabilities("all", None, networks)
    assert mean.loc[0, "base"] == pytest.approx((0.01 + 0.97) / 2)
    assert mean.loc[0, NON_CARDIAC] == pytest.approx((0.97 + 0.01) / 2)


def written(reading, chosen, selected, networks, folder):
    """What is written, with temperatures of 2 for the selected network and 3 for the mean of all."""
    temperatures = {"first": 1.0, "second": 2.0, "all": 3.0}
    calibration = {name: {"temperature": value} for name, value in temperatures.items()}
    (folder / "calibration.yaml").write_text(yaml.safe_dump(calibration))
    write_classifier_reading(
        reading=reading,
        chosen=chosen,
        selected=selected,
        networks=list(networks),
        probabilities=list(networks.values()),
        calibration=folder / "calibration.yaml",
        rule=PAPER,
        regions=folder / "regions.csv",
    )
    return read_reading(folder / "regions.csv")


WAYS = [(reading, chosen) for reading in ("slice", "stack") for chosen in ("selected", "all")]


@pytest.mark.parametrize(("reading", "chosen"), WAYS)
def test_a_reading_is_written_with_its_region_and_a_weight_of_each_class(reading, chosen, selected, networks, tmp_path):
    found = written(reading, chosen, selected, networks, tmp_path)
    assert found.columns.tolist() == ["case", "slice", "region", "non-cardiac", "base", "middle", "apex"]
    hard = read(reading, chosen, selected, networks)
    pd.testing.assert_frame_equal(found[["case", "slice", "region"]], hard, check_dtype=False)
    assert found[list(SLICE_CLASSES)].sum(axis=1).to_numpy() == pytest.approx(np.ones(5), abs=1e-8)


@pytest.mark.parametrize(("chosen", "temperature"), [("selected", 2.0), ("all", 3.0)])
def test_the_weights_of_slices_are_their_calibrated_probabilities(chosen, temperature, selected, networks, tmp_path):
    found = written("slice", chosen, selected, networks, tmp_path)
    values = chosen_probabilities(chosen, selected, networks)[list(SLICE_CLASSES)].to_numpy()
    assert found[list(SLICE_CLASSES)].to_numpy() == pytest.approx(calibrated(values, temperature), abs=1e-8)


def test_the_weights_of_stacks_are_the_marginals_by_calibrated_probabilities(selected, networks, tmp_path):
    found = written("stack", "selected", selected, networks, tmp_path)
    values = chosen_probabilities("selected", selected, networks)[list(SLICE_CLASSES)].to_numpy()
    expected = stack_marginals(np.log(values) / 2.0, PAPER)
    assert found[list(SLICE_CLASSES)].to_numpy() == pytest.approx(expected, abs=1e-8)


def test_the_mean_of_all_needs_no_selected_network(networks, tmp_path):
    assert len(written("stack", "all", None, networks, tmp_path)) == 5


# ---- The table --------------------------------------------------------------


def stack(*regions, case="x"):
    return pd.DataFrame({"case": case, "slice": range(len(regions)), "region": regions})


def test_shares_are_told_of_all_slices_of_labelled_ones_and_of_those_beyond_the_ends():
    found = shares_right(stack("base", "middle", "apex", NON_CARDIAC), stack("base", "apex", "apex", "apex"))
    assert found["slices"].tolist() == [4, 3, 1]
    assert found["right_percent"].tolist() == pytest.approx([50, 200 / 3, 0])


def test_a_cohort_without_slices_beyond_the_ends_has_no_share_of_them():
    found = shares_right(stack(*HEART), stack(*HEART))
    assert found["right_percent"].isna().tolist() == [False, False, True]


def test_a_slice_without_a_region_is_an_error():
    with pytest.raises(InputError, match="1 slices have none, the first of x"):
        shares_right(stack("base", "apex"), stack("base"))


def test_by_index_every_slice_of_a_stack_is_cardiac():
    both = pd.concat([stack(*[NON_CARDIAC] * 5, case="b"), stack("base", case="a")])
    assert regions_by_index(both, PAPER)["region"].tolist() == ["middle", *HEART]


def write_both(selected, networks, folder, extents=(), models=(), heads=None):
    """The table of two cohorts, each of one case with five labelled slices."""
    reference = stack(*HEART).assign(patient="p", phase="ED", position=0.5)
    reference.to_csv(folder / "slices.csv", index=False)
    (folder / "splits.csv").write_text("case,patient,split\nx,p,test\n")
    write_readings(
        selected=selected,
        probabilities=[*networks.values()] * 2,
        networks=list(networks),
        slices=[folder / "slices.csv"] * 2,
        splits=[folder / "splits.csv"] * 2,
        extents=[*extents] * 2,
        models=models,
        cohorts={"one": "One", "two": "Two"},
        rule=PAPER,
        table=[folder / f"readings.{ending}" for ending in ("csv", "md", "html")],
        heads=list(heads or {}),
        head_probabilities=[*(heads or {}).values()] * 2,
    )
    return pd.read_csv(folder / "readings.csv", keep_default_na=False).query("group == 'all'")


def test_the_table_has_five_ways_of_every_cohort_and_the_warning(selected, networks, tmp_path):
    found = write_both(selected, networks, tmp_path)
    assert found["cohort"].tolist() == ["one"] * 5 + ["two"] * 5
    right = found[:5].set_index(["reading", "networks"])["right_percent"].astype(float).to_dict()
    assert right["slice", "selected"] == 80
    assert right["stack", "selected"] == right["index", "none"] == 100
    assert list(right) == [
        ("slice", "selected"),
        ("stack", "selected"),
        ("slice", "all"),
        ("stack", "all"),
        ("index", "none"),
    ]
    for ending in ("md", "html"):
        assert WARNING in (tmp_path / f"readings.{ending}").read_text()


def test_each_extent_that_an_approach_reads_has_three_rows_before_the_last_one(selected, networks, tmp_path):
    files = [tmp_path / f"{name}.csv" for name in ("alone", "with_selected", "with_all")]
    for file, regions in zip(files, (GAP, HEART, [NON_CARDIAC] * 5), strict=True):
        stack(*regions).to_csv(file, index=False)
    found = write_both(selected, networks, tmp_path, files, ["baseline"])[4:8]
    assert found["reading"].tolist() == ["extent of baseline"] * 3 + ["index"]
    assert found["networks"].tolist() == ["none", "selected", "all", "none"]
    assert found["right_percent"].astype(float).tolist() == [80, 100, 0, 100]
    assert "extent of baseline, and mean of all networks" in (tmp_path / "readings.md").read_text()


def test_each_head_that_an_approach_reads_has_two_rows_before_the_last_one(selected, networks, tmp_path):
    found = write_both(selected, networks, tmp_path, heads={"joint": networks["second"], "other": networks["first"]})
    rows = found[4:9][["reading", "networks"]].to_numpy().tolist()
    heads = [[reading, f"head of {model}"] for model in ("joint", "other") for reading in ("slice", "stack")]
    assert rows == [*heads, ["index", "none"]]
    assert found["right_percent"][4:8].astype(float).tolist() == [80, 100, 0, 0]
    text = (tmp_path / "readings.md").read_text()
    assert "head of joint, slice by slice" in text
    assert "head of other, whole stack" in text


def test_a_head_is_read_as_the_mean_of_one_network(networks, tmp_path):
    """The reading of a classifier as `read_head` uses it: region and weights are those of the head itself."""
    head = {"second": networks["second"]}
    values = pd.read_csv(networks["second"])[list(SLICE_CLASSES)].to_numpy()
    found = written("slice", "all", None, head, tmp_path)
    assert found["region"].tolist() == GAP
    assert found[list(SLICE_CLASSES)].to_numpy() == pytest.approx(calibrated(values, 3.0), abs=1e-8)
