"""Table 2: precision and recall of the classifiers, and the selected one."""

import numpy as np
import pandas as pd
import pytest
import yaml

from cmrslices.classification.metrics import best_network, precision_recall, read_predicted, read_reference
from cmrslices.classification.table2 import write_table2
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError

NETWORKS = {"worse": "Worse", "better": "Better", "equal": "Equal"}
REGIONS = ["base", "middle", "middle", "apex", "non-cardiac", "middle"]


def metrics_row(table, region):
    return table[table["region"] == region].iloc[0]


def test_precision_and_recall_of_a_region():
    table = precision_recall(REGIONS, ["base", "base", "middle", "apex", "non-cardiac", "middle"])
    assert metrics_row(table, "base")[["slices", "precision", "recall"]].tolist() == [1, 50, 100]
    assert metrics_row(table, "middle")[["slices", "precision", "recall"]].tolist() == pytest.approx([3, 100, 200 / 3])


def test_the_average_is_weighted_by_slices():
    table = precision_recall(REGIONS, ["base", "base", "middle", "apex", "non-cardiac", "middle"])
    expected = [6, (1 * 50 + 5 * 100) / 6, 500 / 6]
    assert metrics_row(table, "all")[["slices", "precision", "recall"]].tolist() == pytest.approx(expected)


def test_a_region_that_is_never_predicted_has_precision_zero():
    table = precision_recall(REGIONS, ["middle"] * 6)
    assert metrics_row(table, "apex")[["precision", "recall"]].tolist() == [0, 0]


def test_the_first_of_equal_networks_is_selected():
    rows = {"a": (80, 80), "b": (85, 95), "c": (90, 90)}
    table = pd.DataFrame([(name, "all", *row) for name, row in rows.items()])
    assert best_network(table.set_axis(["network", "region", "precision", "recall"], axis=1)) == "b"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """One test case, one of validation, and probabilities of three networks: two are right, one is not."""
    tmp_path = tmp_path_factory.mktemp("cohort")
    case = {"slice": range(6), "region": REGIONS}
    slices = pd.concat([pd.DataFrame({"case": name, **case}) for name in ("c_1_ED", "c_2_ED")])
    slices.to_csv(tmp_path / "slices.csv", index=False)
    splits = pd.DataFrame({"case": ["c_1_ED", "c_2_ED"], "patient": ["1", "2"], "split": ["test", "validation"]})
    splits.to_csv(tmp_path / "splits.csv", index=False)
    right = slices["region"].map(list(SLICE_CLASSES).index).to_numpy()
    for name in NETWORKS:
        channel = np.zeros(12, dtype=int) if name == "worse" else right
        probabilities = pd.DataFrame(0.1 + 0.6 * np.eye(4)[channel], columns=SLICE_CLASSES)
        table = pd.concat([slices[["case", "slice"]].reset_index(drop=True), probabilities], axis=1)
        table[::-1].to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


@pytest.fixture(scope="module")
def table2(cohort):
    return write(cohort, "table2")


def write(folder, name):
    (folder / name).mkdir()
    paper = folder / "paper.csv"
    paper.write_text("# source\nnetwork,precision,recall\nbetter,90,80\n")
    write_table2(
        probabilities=[folder / f"{network}.csv" for network in NETWORKS],
        networks=NETWORKS,
        slices=folder / "slices.csv",
        splits=folder / "splits.csv",
        select_on="test",
        paper=paper,
        selected=folder / name / "selected",
        table=[folder / name / f"table2.{ending}" for ending in ("csv", "md", "html", "tex")],
        against_paper=[folder / name / f"against_paper.{ending}" for ending in ("csv", "md", "html")],
        confusion=[folder / name / f"confusion.{ending}" for ending in ("png", "pdf", "html")],
    )
    return folder / name


def test_reference_regions_are_those_of_the_split(cohort):
    reference = read_reference(cohort / "slices.csv", cohort / "splits.csv", "validation")
    assert reference["case"].unique().tolist() == ["c_2_ED"]


def test_a_split_without_slices_is_an_error(cohort):
    with pytest.raises(InputError, match=r"splits.csv: no slice is in the train split"):
        read_reference(cohort / "slices.csv", cohort / "splits.csv", "train")


def test_the_prediction_is_the_most_probable_region_whatever_the_order_of_rows(cohort):
    reference = read_reference(cohort / "slices.csv", cohort / "splits.csv", "test")
    assert read_predicted(cohort / "better.csv", reference).tolist() == REGIONS


def test_a_slice_without_probabilities_is_an_error(cohort, tmp_path):
    reference = read_reference(cohort / "slices.csv", cohort / "splits.csv", "test")
    table = pd.read_csv(cohort / "better.csv")
    table[table["slice"] > 0].to_csv(tmp_path / "better.csv", index=False)
    with pytest.raises(InputError, match=r"better.csv: 1 slices have no probabilities, the first of c_1_ED"):
        read_predicted(tmp_path / "better.csv", reference)


def test_the_selected_network_is_named_with_its_metrics(table2):
    selected = yaml.safe_load((table2 / "selected").read_text())
    assert selected == {"network": "better", "select_on": "test", "precision": 100.0, "recall": 100.0}


def test_markdown_has_a_column_per_network_and_the_selected_one_bold(table2):
    lines = (table2 / "table2.md").read_text().splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == ["", "Worse", "Better", "Equal"]
    weighted = next(line for line in lines if "Recall [%] " in line)
    assert [cell.strip() for cell in weighted.split("|")[2:5]] == ["16.67", "**100.00**", "100.00"]


def test_ours_stands_beside_the_papers(table2):
    beside = pd.read_csv(table2 / "against_paper.csv").set_index(["network", "metric"])
    assert beside.loc[("better", "recall")].tolist() == [80, 100, 20]
    assert np.isnan(beside.loc[("worse", "recall"), "paper_percent"])


def test_all_outputs_repeat_byte_for_byte(cohort, table2):
    again = write(cohort, "again")
    for file in sorted(table2.iterdir()):
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name
