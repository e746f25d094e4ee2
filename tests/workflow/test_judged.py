"""Label maps that exist already are judged: no training, no torch, the same tables."""

import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT
from raw_cohorts import nifti_cohort, oblique
from workflow import TWO_JOBS, UNTRAINED, Workflow, merged

from cmrslices.commands.publication import publish

TITLES = {"ours": "Ours", "theirs": "Theirs"}
JUDGED = {**UNTRAINED, "read_predictions": 2}
NETWORKS = ("torch", "torchvision", "nnunetv2")


def settings(**changes):
    """judge.yaml, and over it a clinic with two approaches."""
    mine = {
        "results": "results",
        "cohorts": {"clinic": {"title": "Clinic", "format": "nifti", "folder": "raw"}},
        "approaches": {name: {"title": title, "predictions": f"given/{name}"} for name, title in TITLES.items()},
    }
    return merged(merged(yaml.safe_load((ROOT / "judge.yaml").read_text()), mine), changes)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A finished run of six made patients, during which no module of networks could be imported."""
    folder = tmp_path_factory.mktemp("judged")
    nifti_cohort(folder / "raw", patients=[f"p{number}" for number in range(6)], affine=oblique())
    for step, name in enumerate(TITLES, 1):
        for label in sorted((folder / "raw").glob("*_label.nii.gz")):
            reference = nib.load(label)
            worse = np.where(np.arange(8) < 8 - step, np.roll(reference.dataobj, step - 1, axis=0), 0)
            target = folder / f"given/{name}/clinic_{label.name.replace('_label', '')}"
            target.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(worse.astype(np.uint8), reference.affine), target)
    for name in NETWORKS:
        (folder / f"without/{name}").mkdir(parents=True)
        (folder / f"without/{name}/__init__.py").write_text(f"raise ImportError('{name} is imported')\n")
    workflow = Workflow(folder, settings())
    command = [sys.executable, "-m", "snakemake", *workflow._arguments(TWO_JOBS, {})]
    environment = {**os.environ, "PYTHONPATH": str(folder / "without")}
    answer = subprocess.run(list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-5000:]
    return workflow


def test_without_a_trained_approach_nothing_that_needs_a_network_is_planned(workflow):
    assert workflow.planned(**settings()) == JUDGED


def test_given_label_maps_beside_trained_approaches_add_no_training(workflow):
    own = {"approaches": {"ours": {"title": "Ours", "predictions": "given"}}}
    before, planned = workflow.planned(), workflow.planned(**own)
    added = {"read_predictions": 3, "score": before["score"] + 3, "boundaries": before["boundaries"] + 3}
    assert planned == {**before, **added}


def test_the_demo_makes_its_cohorts_and_label_maps(workflow):
    demo = [yaml.safe_load((ROOT / name).read_text()) for name in ("judge.yaml", "demo/judge.yaml")]
    planned = workflow.planned(**merged(*demo))
    assert planned["make_demo_cohort"] == 2
    assert planned["make_demo_predictions"] == planned["read_predictions"] == 6
    assert not {"train_segmenter", "train_classifier", "predict"} & planned.keys()


def test_missing_folders_of_label_maps_stop_a_run_before_its_first_job_with_all_keys(workflow):
    nifti_cohort(workflow.folder / "raw")
    answer = workflow.run("--cores", "1", **settings())
    assert answer.returncode != 0
    for name in TITLES:
        assert f"approaches.{name}.predictions: the folder {workflow.folder / 'given' / name} does not" in answer.stderr
    assert not (workflow.folder / "results").exists()


def test_a_cohort_can_be_converted_before_there_are_label_maps(workflow):
    nifti_cohort(workflow.folder / "raw")
    answer = workflow.run("--cores", "1", "--", "results/cohorts/clinic/cases.csv", **settings())
    assert answer.returncode == 0, answer.stderr


def test_all_cases_are_scored_and_the_first_approach_is_compared_with_the_other(judged):
    scores = pd.read_csv(judged.folder / "results/scores/ours/clinic.csv")
    assert scores["case"].nunique() == 12
    apex = scores[(scores["region"] == "apex") & (scores["reference_mm2"] > 0)]
    assert (apex["predicted_mm2"] == apex["reference_mm2"]).all()
    changes = pd.read_csv(judged.folder / "results/tables/table3.csv")
    assert set(changes["approach"]) == {"theirs"}


def test_a_finished_run_has_nothing_to_do(judged):
    assert judged.planned() == {}


def test_a_changed_label_map_is_read_again_and_what_follows_from_its_approach(judged):
    file = judged.folder / "given/theirs/clinic_p0_ED.nii.gz"
    before = file.stat()
    os.utime(file, (before.st_atime, before.st_mtime + 1))
    try:
        planned = judged.planned()
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert {name: planned[name] for name in ("read_predictions", "score", "boundaries")} == {
        "read_predictions": 1,
        "score": 1,
        "boundaries": 1,
    }
    assert not {"convert_cohort", "assign_regions", "cohort_summary", "table1"} & planned.keys()


@pytest.mark.parametrize("key", [{"names": "{case}.nii"}, {"label_map": {"LVBP": 4}}])
def test_a_changed_key_of_a_row_reads_its_label_maps_again(judged, key):
    planned = judged.planned(approaches={"theirs": key})
    assert planned["read_predictions"] == planned["score"] == 1


def test_the_run_can_be_published(judged, tmp_path):
    publish(judged.folder / "results", tmp_path / "published")
    for name in ("tables/table1.csv", "scores/ours/clinic.csv", "figures/figure2.png", "config.yaml"):
        assert (tmp_path / "published" / name).is_file()
    assert str(judged.folder) not in (tmp_path / "published/config.yaml").read_text()


def test_the_report_is_made(judged):
    answer = judged.run("--report", "report.html")
    assert answer.returncode == 0, answer.stderr
    text = (judged.folder / "report.html").read_text()
    assert "Nothing was trained" in text
    assert "2 Trainings" not in text


def test_label_maps_are_flagged_where_the_configuration_asks(judged):
    planned = judged.planned(quality={"approaches": ["ours"]})
    assert planned == {"find_flags": 1, "flag_worth": 1, "flag_page": 1, "provenance": 1}


def test_the_flags_of_given_label_maps_are_found_measured_and_shown(judged):
    answer = judged.run("--cores", "1", "--", "results/patients/theirs/clinic/qc.html")
    assert answer.returncode == 0, answer.stderr
    scores = pd.read_csv(judged.folder / "results/patients/theirs/clinic/qc_scores.csv")
    assert scores["disagreement"].max() > 0
    worth = pd.read_csv(judged.folder / "results/tables/flags/theirs.csv").set_index("flag")
    assert worth.loc["disagreement", "patients"] == 6
    assert (judged.folder / "results/patients/theirs/clinic/qc.html").read_text().count("<h2>") == 6
    assert judged.planned("results/patients/theirs/clinic/qc.html") == {}
    assert judged.planned("results/patients/theirs/clinic/qc.html", quality={"mass": 0.5}) == {
        "find_flags": 1,
        "flag_worth": 1,
        "flag_page": 1,
    }


def test_label_maps_that_fit_much_better_in_another_way_stop_the_run_with_every_case(judged):
    mirrored = judged.folder / "given/mirrored"
    for file in (judged.folder / "given/ours").iterdir():
        label = nib.load(file)
        mirrored.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(np.asarray(label.dataobj)[::-1], label.affine), mirrored / file.name)
    answer = judged.run(
        *("--cores", "1", "--", "results/predictions/mirrored/clinic/labels"),
        approaches={"mirrored": {"title": "Mirrored", "predictions": "given/mirrored"}},
    )
    assert answer.returncode != 0
    assert "12 faults found:" in answer.stderr
    assert answer.stderr.count("much better mirrored along x") >= 12
    assert not (judged.folder / "results/predictions/mirrored/clinic/labels").exists()
