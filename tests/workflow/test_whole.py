"""The whole workflow on the demo's raw data, at a tiny size; then what a change re-runs."""

import gzip
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import Workflow

TINY = {
    "results": "results",
    "cohorts": {
        "nhs": {"folder": "raw/nhs"},
        "mnms": {"folder": "raw/mnms"},
        "acdc": {"folder": "raw/acdc"},
    },
    "splits": {"train": 0.5, "validation": 0.25, "test": 0.25},
    "segmentation": {
        "epochs": 1,
        "iterations_per_epoch": 2,
        "validation_iterations": 1,
        "batch_size": 2,
        "mirroring": False,
        "plan": {"spacing_mm": [4.0, 4.0], "patch_size_px": [32, 32], "features": [4, 8, 8]},
    },
    "classification": {
        "networks": {
            "alexnet": None,
            "densenet121": None,
            "mobilenet_v2": None,
            "resnet18": None,
            "vgg11_bn": None,
        },
        "epochs": 1,
        "initial_weights": "none",
        "image_size_px": 32,
        "field_of_view_mm": 200.0,
    },
    "demo": {"folder": "raw", "patients": {"nhs": 4, "mnms": 2, "acdc": 2}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workflow = Workflow(tmp_path_factory.mktemp("whole"), TINY)
    answer = workflow.run("--cores", "2", "--set-threads", *(f"{rule}=1" for rule in ("train_segmenter", "predict")))
    assert answer.returncode == 0, answer.stderr[-5000:]
    return workflow


def test_all_tables_and_the_figure_are_made(finished):
    results = finished.folder / "results"
    for table in ("table1", "table2", "table3"):
        for ending in (".csv", ".md", ".tex", "_against_paper.csv", "_against_paper.md"):
            assert (results / "tables" / f"{table}{ending}").stat().st_size > 0
    for figure in ("figure2.pdf", "figure2.png", "figure2.csv", "confusion.png"):
        assert (results / "figures" / figure).stat().st_size > 0


def test_tables_cover_every_cohort_approach_label_and_region(finished):
    tables = finished.folder / "results/tables"
    assert len(pd.read_csv(tables / "table1.csv")) == 3 * 3 * 3
    assert len(pd.read_csv(tables / "table3.csv")) == 3 * 4 * 3 * 4
    assert set(pd.read_csv(tables / "table2.csv")["network"]) == {"shufflenet_v2_x1_0", "squeezenet1_0"}


def test_every_approach_is_scored_on_the_same_slices(finished):
    files = sorted((finished.folder / "results/scores").glob("*/nhs.csv"))
    assert len(files) == 5
    keys = [
        pd.read_csv(file).query("dsc.notna()")[["case", "slice", "label"]].to_records(index=False).tolist()
        for file in files
    ]
    assert all(key == keys[0] for key in keys)


def test_a_finished_run_has_nothing_to_do(finished):
    assert finished.planned() == {}


AFTER_SCORES = {"table1", "table3", "figure2", "provenance"}
AFTER_MODELS = {"predict", "score"} | AFTER_SCORES
CHANGES = [
    ({"evaluation": {"significance": 0.05}}, {"table1", "table3", "provenance"}),
    ({"evaluation": {"profile_points": 51}}, {"figure2", "provenance"}),
    ({"segmentation": {"mirroring": True}}, AFTER_MODELS),
    ({"segmentation": {"learning_rate": 0.02}}, {"train_segmenter"} | AFTER_MODELS),
    ({"classification": {"select_on": "validation"}}, {"select_classifier"} | AFTER_MODELS - {"table1"}),
    ({"cohorts": {"acdc": {"title": "Other"}}}, {"table1", "table3", "provenance"}),
]


@pytest.mark.parametrize(("change", "rules"), CHANGES, ids=[str(change) for change, _ in CHANGES])
def test_a_changed_key_re_runs_the_rules_that_depend_on_it(finished, change, rules):
    assert set(finished.planned(**change)) == rules


def test_a_new_ratio_trains_one_model_and_leaves_the_others(finished):
    planned = finished.planned(
        models={"sampling_50": {"sampling": "quadratic", "ratio": 50}},
        approaches={"sampling_50": {"title": "50", "router": "constant", "model": "sampling_50"}},
    )
    assert planned["train_segmenter"] == 1
    assert planned["predict"] == planned["score"] == 3


def test_the_number_of_jobs_does_not_depend_on_the_number_of_patients(tmp_path):
    few, many = ({"patients": {"nhs": count, "mnms": count, "acdc": count}} for count in (4, 4684))
    assert Workflow(tmp_path, TINY).planned(demo=few) == Workflow(tmp_path, TINY).planned(demo=many)


def test_a_fault_in_one_patient_names_the_patient_and_leaves_no_output(finished, tmp_path):
    shutil.copytree(finished.folder / "raw/acdc", tmp_path / "raw/acdc")
    image = sorted((tmp_path / "raw/acdc/training").glob("*/*_gt.nii.gz"))[0]
    whole = gzip.decompress(image.read_bytes())
    image.write_bytes(gzip.compress(whole)[:-200])
    broken = Workflow(tmp_path, {**TINY, "demo": None})
    answer = broken.run(
        "--cores", "1", "results/cohorts/acdc/cases.csv", cohorts={"nhs": None, "mnms": None}, training_cohort="acdc"
    )
    assert answer.returncode != 0
    assert f"patient {image.parent.name}" in answer.stderr
    assert "truncated" in answer.stderr or "not a readable" in answer.stderr or "gzip" in answer.stderr
    assert not any(path.is_file() and path.name != "acdc.log" for path in Path(tmp_path / "results").rglob("*"))
