"""The training budget: what was trained for each approach, its hours, and the gain beside it."""

import numpy as np
import pandas as pd
import pytest

from cmrslices.cohorts.tables import write_slices, write_splits
from cmrslices.labels import LABELS, REGIONS, TABLE_ORDER
from cmrslices.report.budget import (
    COLUMNS,
    beside_gains,
    count_training_slices,
    gain_cells,
    gains,
    training_cells,
    trainings,
    write_budget,
)

MODELS = {
    "baseline": {"baseline": 1000},
    "routed": {"baseline": 1000, "base": 500, "apex": 1500},
    "bound": {"baseline": 1000, "base": 500, "apex": 1500},
}
EPOCHS = pd.DataFrame(
    [("baseline", 1, 1800.0), ("baseline", 2, 1800.0), ("base", 1, 900.0), ("apex", 1, 2700.0)],
    columns=["model", "epoch", "seconds"],
)
HISTORIES = {"alexnet": pd.DataFrame({"seconds": [600.0, 600.0]}), "vgg11_bn": pd.DataFrame({"seconds": [600.0]})}
TITLES = {"baseline": "Baseline", "routed": "Routed", "bound": "Bound"}


def budget(epochs=EPOCHS, controls=None):
    trained = trainings(MODELS, "baseline", epochs, ["routed"], HISTORIES, training_slices=40)
    return trained.assign(control=[(controls or {}).get(name, "") for name in trained["approach"]])


def of(table, approach):
    return table.set_index("approach").loc[approach]


# ---- What was trained ---------------------------------------------------------


def test_an_approach_has_the_slices_and_hours_of_all_models_that_are_trained_for_it():
    routed = of(budget(), "routed")
    assert routed[["segmenters", "slices", "training_ratio"]].tolist() == ["baseline base apex", 3000, 3]
    assert routed["hours"] == pytest.approx((1800 + 1800 + 900 + 2700) / 3600)


def test_hours_are_the_sum_of_all_epochs_and_not_of_a_trainings_last_try():
    assert of(budget(), "baseline")["hours"] == pytest.approx(1)


def test_an_approach_that_reads_the_classifiers_needs_all_networks():
    routed = of(budget(), "routed")
    assert routed["classifiers"] == "alexnet vgg11_bn"
    assert routed["classifier_slices"] == 40 * (2 + 1)
    assert routed["classifier_hours"] == pytest.approx(0.5)


def test_reference_regions_need_no_classifier():
    assert of(budget(), "bound")[["classifiers", "classifier_slices", "classifier_hours"]].tolist() == ["", 0, 0]


@pytest.mark.parametrize(
    ("devices", "told"),
    [({"baseline": "gpu", "base": "gpu", "apex": "gpu"}, "gpu"), ({"baseline": "gpu", "base": "cpu"}, "cpu gpu")],
    ids=["alike", "mixed"],
)
def test_the_device_is_told_where_it_is_recorded(devices, told):
    recorded = budget(EPOCHS.assign(device=EPOCHS["model"].map(devices)))
    assert of(recorded, "routed")["device"] == told
    assert of(budget(), "routed")["device"] == ""


def write_cohort(folder):
    """slices.csv and splits.csv of a cohort with a case of seven slices to train on."""
    cases = [(f"c_{name}_ED", name, split) for name, split in zip("abc", ("train", "validation", "test"), strict=True)]
    splits = pd.DataFrame(cases, columns=["case", "patient", "split"])
    rows = [
        {"case": case, "patient": patient, "phase": "ED", "slice": k, "region": "base", "position": 0.0}
        for (case, patient, _), count in zip(cases, (7, 5, 3), strict=True)
        for k in range(count)
    ]
    slices = pd.DataFrame(rows).assign(**{f"{label}_mm2": 0.0 for label in LABELS})
    write_splits(splits, folder / "splits.csv")
    write_slices(slices, folder / "slices.csv")
    return folder / "slices.csv", folder / "splits.csv"


def test_slices_that_nothing_tells_stay_empty_and_the_others_whole_numbers():
    """A 3D model's patches hold many slices, and given label maps were trained elsewhere."""
    models = {**MODELS, "context": {"context": None}, "given": {}}
    epochs = pd.concat([EPOCHS, pd.DataFrame({"model": ["context"], "epoch": 1, "seconds": 36.0})])
    trained = trainings(models, "baseline", epochs, ["routed"], HISTORIES, training_slices=40).assign(control="")
    cells = training_cells(trained, {**TITLES, "context": "3D", "given": "Given"}).set_index(("", "Approach"))
    assert cells["Segmenters", "slices seen"].to_dict() == {
        **{"Baseline": "1,000", "Routed": "3,000", "Bound": "3,000"},
        **{"3D": "", "Given": ""},
    }
    assert cells["Segmenters", "hours"].tolist() == ["1.000", "2.000", "2.000", "0.010", ""]
    assert trained.set_index("approach")["training_ratio"].isna().to_dict() == {
        **dict.fromkeys(MODELS, False),
        **{"context": True, "given": True},
    }


def test_slices_of_the_training_cases_are_counted_and_no_others(tmp_path):
    assert count_training_slices(*write_cohort(tmp_path)) == 7


# ---- What it gains -------------------------------------------------------------


def scores(patients=6):
    """Routed: 2 points more, at the apex 5; patients differ by what is 0 on average."""
    rows = [
        ("acdc", approach, f"p{patient}", f"p{patient}_ED", number, region, label)
        for approach in MODELS
        for patient in range(patients)
        for number, region in enumerate(REGIONS)
        for label in LABELS
    ]
    table = pd.DataFrame(rows, columns=["cohort", "approach", "patient", "case", "slice", "region", "label"])
    gain = np.where(table["region"] == "apex", 0.05, 0.02) * (table["approach"] == "routed")
    spread = 0.001 * (table["patient"].str[1:].astype(int) - (patients - 1) / 2) * (table["approach"] == "routed")
    orders = {"cohort": ["acdc"], "approach": list(MODELS), "region": TABLE_ORDER, "label": list(LABELS)}
    table = table.assign(dsc=0.8 + gain + spread, reference_mm2=100.0, predicted_mm2=100.0)
    return table.assign(**{name: pd.Categorical(table[name], order) for name, order in orders.items()})


def gained(patients=6):
    return gains(scores(patients), "baseline", ["routed", "bound"])


def test_the_gain_is_that_over_the_baseline_with_its_interval():
    routed = gained().query("approach == 'routed'").set_index("region")
    assert routed["gain"].to_dict() == pytest.approx({"all": 3, "apex": 5})
    assert (routed["low"] < routed["gain"]).all()
    assert (routed["high"] > routed["gain"]).all()


def test_few_patients_have_a_gain_without_an_interval():
    routed = gained(patients=4).query("approach == 'routed'")
    assert routed["gain"].notna().all()
    assert routed[["low", "high"]].isna().all(axis=None)


def test_the_gain_per_hour_counts_the_classifiers_hours():
    rows = beside_gains(budget(), gained(), ["acdc"]).query("region == 'all'").set_index("approach")
    assert rows.loc["routed", "gain_per_hour"] == pytest.approx(3 / (2 + 0.5))
    assert np.isnan(rows.loc["baseline", "gain_per_hour"])


def test_every_approach_has_a_row_in_every_cohort_and_region():
    found = beside_gains(budget(), gained(), ["acdc"])
    assert found[["approach", "region"]].to_numpy().tolist() == [
        [approach, region] for approach in MODELS for region in ("all", "apex")
    ]


def test_without_other_approaches_the_baseline_stands_alone():
    alone = gains(scores().query("approach == 'baseline'"), "baseline", [])
    assert alone.empty
    cells = gain_cells(beside_gains(budget().query("approach == 'baseline'"), alone, ["acdc"]), {}, TITLES)
    assert cells["", "Approach"].tolist() == ["Baseline"]


def test_a_reader_sees_the_multiple_the_hours_and_the_gain_in_one_row():
    cells = gain_cells(beside_gains(budget(), gained(), ["acdc"]), {"acdc": "ACDC"}, TITLES)
    row = cells[cells["", "Approach"] == "Routed"].iloc[0]
    assert row["Training"].tolist() == ["3.00", "2.000", "0.500"]
    assert row["Whole heart", "gain"].startswith("3.00 [")
    assert row["Whole heart", "gain per hour"] == "1.20"


def test_a_matched_control_is_named_and_its_lack_too():
    cells = training_cells(budget(controls={"routed": "bound", "bound": "bound", "baseline": "-"}), TITLES)
    assert cells["Segmenters", "matched control"].tolist() == ["none", "Bound", "itself"]
    assert cells["Segmenters", "measured on"].tolist() == ["not recorded"] * 3


def test_the_table_is_written_for_programs_and_for_readers(tmp_path):
    slices, splits = write_cohort(tmp_path)
    files = {name: tmp_path / f"{name}.csv" for name in ("scores", "epochs", *HISTORIES)}
    scores().assign(phase="ED", position=0.0).to_csv(files["scores"], index=False)
    EPOCHS.assign(device="cpu").to_csv(files["epochs"], index=False)
    for name, history in HISTORIES.items():
        history.to_csv(files[name], index=False)
    table = [tmp_path / f"budget.{ending}" for ending in ("csv", "md", "html")]
    write_budget(
        scores=[files["scores"]],
        segmenters=files["epochs"],
        histories={name: files[name] for name in HISTORIES},
        slices=slices,
        splits=splits,
        cohorts={"acdc": "ACDC"},
        approaches=TITLES,
        baseline="baseline",
        models=MODELS,
        classified=["routed"],
        controls={"routed": None, "bound": None},
        scoring="carried",
        table=table,
    )
    numbers = pd.read_csv(table[0], keep_default_na=False)
    assert numbers.columns.tolist() == COLUMNS
    assert dict(zip(numbers["approach"], numbers["control"], strict=True)) == {
        "baseline": "",
        "routed": "-",
        "bound": "-",
    }
    for text in (table[1].read_text(), table[2].read_text()):
        assert "3.00 times as many, without a matched control: Routed; Bound." in text
        assert "CPU" in text
