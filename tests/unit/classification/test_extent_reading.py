"""Regions by the slices in which a model finds a label, alone and together with a classifier's probabilities."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import yaml

from cmrslices.classification.extent_reading import (
    FoundRates,
    extent_regions,
    found_evidence,
    found_rates,
    validation_rates,
    write_extent_reading,
    write_weighed_reading,
)
from cmrslices.classification.readings import read_reading
from cmrslices.classification.stack_reading import stack_marginals
from cmrslices.cohorts.regions import PAPER, RegionRule, slice_regions
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES
from cmrslices.prediction.routing import region_router
from cmrslices.runtime.errors import InputError

HEART = ["base", "middle", "middle", "middle", "apex"]
ROUTES = {"base": "b", "middle": "m", "apex": "a", NON_CARDIAC: "n"}


def extent(found, case="x"):
    return pd.DataFrame({"case": case, "slice": range(len(found)), "found": np.asarray(found, dtype=bool)})


def regions_of(found, rule=PAPER):
    return extent_regions(extent(found), rule)["region"].tolist()


# ---- Without probabilities -------------------------------------------------


@pytest.mark.parametrize("rule", [PAPER, RegionRule(0.3, 0.1), RegionRule(rule="ends")])
def test_fed_with_the_reference_labels_it_routes_as_the_reference_does(rule):
    """All stacks of up to eight slices, with gaps, of one slice, and without any label."""
    stacks = [np.array(stack, dtype=bool) for count in range(1, 9) for stack in product([0, 1], repeat=count)]
    reference, found = [], []
    for number, labelled in enumerate(stacks):
        places = {"case": f"c{number}", "slice": range(len(labelled))}
        reference.append(pd.DataFrame({**places, "region": slice_regions(labelled, rule)[0]}))
        found.append(pd.DataFrame({**places, "found": labelled}))
    by_reference = region_router(pd.concat(reference), ROUTES)
    by_extent = region_router(extent_regions(pd.concat(found), rule), ROUTES)
    for number, labelled in enumerate(stacks):
        assert by_extent(f"c{number}", len(labelled)) == by_reference(f"c{number}", len(labelled))


def test_a_slice_in_a_gap_is_non_cardiac_as_by_reference_labels():
    assert regions_of([1, 1, 0, 1, 1, 1]) == ["base", "middle", NON_CARDIAC, "middle", "middle", "apex"]


@pytest.mark.parametrize(
    ("found", "regions"),
    [
        ([1], ["middle"]),
        ([0], [NON_CARDIAC]),
        ([1, 1], ["middle", "middle"]),
        ([0, 1], [NON_CARDIAC, "middle"]),
        ([1, 1, 1], ["base", "middle", "apex"]),
        ([1, 0, 1, 1], ["base", NON_CARDIAC, "middle", "apex"]),
        ([0, 0, 0, 0], [NON_CARDIAC] * 4),
    ],
)
def test_a_stack_of_one_to_four_slices_follows_the_rule(found, regions):
    assert regions_of(found) == regions


def test_each_stack_is_read_by_itself_and_the_rows_keep_their_order():
    mixed = pd.concat([extent([1, 1, 1], "b"), extent([0, 1], "a")]).sample(frac=1, random_state=1)
    found = extent_regions(mixed, PAPER)
    assert found[["case", "slice"]].equals(mixed[["case", "slice"]])
    ordered = found.sort_values(["case", "slice"])["region"].tolist()
    assert ordered == [NON_CARDIAC, "middle", "base", "middle", "apex"]


# ---- Rates -----------------------------------------------------------------


def test_half_a_slice_is_added_to_each_count_so_that_no_rate_is_0_or_1():
    rates = found_rates(np.array([1, 1, 1, 0, 0], dtype=bool), np.array([1, 1, 1, 0, 0], dtype=bool))
    assert rates == FoundRates(labelled=3.5 / 4, empty=0.5 / 3)


def test_a_kind_without_slices_has_the_rate_one_half():
    assert found_rates(np.ones(9, dtype=bool), np.ones(9, dtype=bool)).empty == 0.5


def test_the_evidence_is_the_log_of_the_rate_of_what_was_seen():
    evidence = found_evidence(np.array([True, False]), FoundRates(labelled=0.97, empty=0.15))
    assert np.exp(evidence).tolist() == [
        pytest.approx([0.15, 0.97, 0.97, 0.97]),
        pytest.approx([0.85, 0.03, 0.03, 0.03]),
    ]


class Run:
    """The training cohort of a run: a validation case ``v``, a test case ``t``, an extent and two networks."""

    def __init__(self, folder):
        self.folder = folder
        self.found = {"v": [1, 1, 1, 1, 1, 0], "t": [0, 1, 1, 0, 1, 1]}
        self.labelled = {"v": [1, 1, 1, 1, 1, 0], "t": [1, 1, 1, 1, 1, 0]}
        self.named = ["base", "middle", "middle", "middle", "apex", NON_CARDIAC]
        self.splits = "case,patient,split\nv,v,validation\nt,t,test\n"
        self.write()

    def write(self):
        parts = [extent(found, case) for case, found in self.found.items()]
        pd.concat(parts).to_csv(self.folder / "extent.csv", index=False)
        reference = [
            extent(labelled, case).assign(region=slice_regions(np.array(labelled))[0])
            for case, labelled in self.labelled.items()
        ]
        table = pd.concat(reference)
        table.assign(patient="p", phase="ED", position=0.5).to_csv(self.folder / "slices.csv", index=False)
        (self.folder / "splits.csv").write_text(self.splits)
        for network in ("one", "two"):
            table[["case", "slice"]].assign(
                **{name: [0.7 if own == name else 0.1 for own in self.named * 2] for name in SLICE_CLASSES}
            ).to_csv(self.folder / f"{network}.csv", index=False)
        temperatures = {"one": 0.5, "two": 2.0, "all": 1.0}
        calibration = {name: {"temperature": value} for name, value in temperatures.items()}
        (self.folder / "calibration.yaml").write_text(yaml.safe_dump(calibration))
        (self.folder / "selected.yaml").write_text(yaml.safe_dump({"network": "two"}))

    def training(self):
        file = self.folder
        return {"validation_extent": file / "extent.csv", "slices": file / "slices.csv", "splits": file / "splits.csv"}

    def read(self):
        file = self.folder / "regions.csv"
        write_extent_reading(extent=self.folder / "extent.csv", **self.training(), rule=PAPER, regions=file)
        return read_reading(file)

    def weigh(self, chosen):
        file = self.folder / "weighed.csv"
        write_weighed_reading(
            extent=self.folder / "extent.csv",
            **self.training(),
            chosen=chosen,
            selected=self.folder / "selected.yaml",
            networks=["one", "two"],
            probabilities=[self.folder / "one.csv", self.folder / "two.csv"],
            calibration=self.folder / "calibration.yaml",
            rule=PAPER,
            regions=file,
        )
        return read_reading(file)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_rates_are_those_of_the_validation_split_alone(run):
    rates = validation_rates(*run.training().values())
    assert rates == FoundRates(labelled=5.5 / 6, empty=0.5 / 2)


def test_that_a_rate_says_nothing_is_told(run, capsys):
    run.labelled["v"] = [1] * 6
    run.write()
    assert validation_rates(*run.training().values()).empty == 0.5
    assert "0 empty validation slices: 1/2, which says nothing" in capsys.readouterr().out


def test_without_a_validation_case_the_remedy_is_named(run):
    run.splits = run.splits.replace("validation", "train")
    run.write()
    with pytest.raises(InputError, match=r"splits\.csv: no case is in the validation split"):
        run.read()


def test_a_slice_without_an_extent_is_an_error(run):
    run.found["v"] = run.found["v"][:-1]
    run.write()
    with pytest.raises(InputError, match="extents: 1 slices have none, the first of v"):
        run.read()


# ---- Files -----------------------------------------------------------------


def weights_of(table, case):
    return table.loc[table["case"] == case, list(SLICE_CLASSES)].to_numpy()


def test_the_file_of_an_extent_has_its_regions_and_the_marginals_of_what_is_found(run):
    found = run.read()
    assert found.columns.tolist() == ["case", "slice", "region", *SLICE_CLASSES]
    assert found.loc[found["case"] == "t", "region"].tolist() == regions_of(run.found["t"])
    evidence = found_evidence(np.array(run.found["t"], dtype=bool), FoundRates(5.5 / 6, 0.5 / 2))
    assert weights_of(found, "t") == pytest.approx(stack_marginals(evidence, PAPER), abs=1e-8)


@pytest.mark.parametrize(("chosen", "temperature"), [("selected", 2.0), ("all", 1.0)])
def test_the_weights_of_both_are_the_marginals_of_their_sum(run, chosen, temperature):
    found = run.weigh(chosen)
    probabilities = pd.read_csv(run.folder / "one.csv").query("case == 't'")[list(SLICE_CLASSES)].to_numpy()
    seen = found_evidence(np.array(run.found["t"], dtype=bool), FoundRates(5.5 / 6, 0.5 / 2))
    expected = stack_marginals(np.log(probabilities) / temperature + seen, PAPER)
    assert weights_of(found, "t") == pytest.approx(expected, abs=1e-8)


def test_together_they_fill_a_gap_and_correct_an_end(run):
    """The extent misses the first slice and one in the middle, and finds the empty last one; the networks do not."""
    found = run.weigh("all")
    assert found.loc[found["case"] == "t", "region"].tolist() == run.named


def test_probabilities_that_say_nothing_leave_the_extent_without_its_gaps(run):
    flat = pd.read_csv(run.folder / "one.csv").assign(**dict.fromkeys(SLICE_CLASSES, 0.25))
    for network in ("one", "two"):
        flat.to_csv(run.folder / f"{network}.csv", index=False)
    found = run.weigh("all")
    assert found.loc[found["case"] == "t", "region"].tolist() == [NON_CARDIAC, *HEART]


def test_weights_sum_to_one(run):
    for found in (run.read(), run.weigh("all")):
        assert found[list(SLICE_CLASSES)].sum(axis=1).to_numpy() == pytest.approx(np.ones(12), abs=1e-8)
