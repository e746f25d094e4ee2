"""A bundle of one results folder segments a cohort in another folder; nothing is trained there."""

import re
import subprocess
import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from places import LIBRARY, ROOT
from raw_cohorts import nifti_cohort, oblique
from tiny_results import NETWORKS, Results
from workflow import TWO_JOBS, UNTRAINED, Workflow, merged

from cmrslices.classification.inference import classify
from cmrslices.classification.probabilities import write_selected_regions
from cmrslices.commands.bundling import make_bundle
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.segmentation.preprocessing import preprocess_cohort

BUNDLED = {**UNTRAINED, "preprocess_bundled": 2, "predict_bundled": 2}
MODELS = {"base": "base", "middle": "baseline", "apex": "apex", "non-cardiac": "baseline"}


def settings(**changes):
    """judge.yaml, and over it the example of docs/bundles.md with a second bundle."""
    mine = yaml.safe_load(re.search(r"```yaml\n(.*?)```", (ROOT / "docs/bundles.md").read_text(), re.S)[1])
    assert mine["approaches"].keys() == {"theirs"}
    here = {
        "results": "results",
        "cohorts": {"clinic": {"folder": "raw"}},
        "approaches": {"theirs": {"bundle": "theirs"}, "deep": {"title": "3D", "bundle": "deep"}},
    }
    return merged(merged(merged(yaml.safe_load((ROOT / "judge.yaml").read_text()), mine), here), changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The bundle of a classifier and three 2D models, and one of a 3D model; both have segmented two patients."""
    folder = tmp_path_factory.mktemp("run")
    Results(folder / "there").make()
    here = tmp_path_factory.mktemp("here")
    command = [sys.executable, LIBRARY / "bundle.py", folder / "there", "classification", here / "theirs"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "SHA-256 of bundle.yaml" in done.stdout
    make_bundle(folder / "there", "context", here / "deep")
    nifti_cohort(here / "raw", affine=oblique())
    workflow = Workflow(here, settings())
    targets = (f"results/predictions/{name}/clinic/labels" for name in ("theirs", "deep"))
    answer = workflow.run(*TWO_JOBS, "--", *targets)
    assert answer.returncode == 0, answer.stderr
    return workflow, Results(folder / "there")


def predicted_there(results, cohort, folder):
    """Label maps of a cohort by the paper's approach 2, from the files of the results folder."""
    splits, images, store = str(cohort / "splits.csv"), str(cohort / "images"), str(folder / "preprocessed")
    preprocess_cohort(str(results.plans), str(results.raw), images, splits, 1, store)
    probabilities = [str(folder / f"{network}.csv") for network in NETWORKS]
    for network, file in zip(NETWORKS, probabilities, strict=True):
        weights = results.classifier(network)
        classify(weights=weights, store=store, splits=splits, threads=1, probabilities=file)
    write_selected_regions(results.selected, list(NETWORKS), probabilities, folder / "regions.csv")
    predict_cohort(
        approach={"router": "classifier", "models": MODELS},
        weights=[results.weights(model) for model in sorted(set(MODELS.values()))],
        regions=str(folder / "regions.csv"),
        store=store,
        splits=splits,
        mirroring=True,
        precision="fp32",
        threads=1,
        labels=str(folder / "labels"),
        routes=str(folder / "routes.csv"),
    )
    return folder / "labels"


def test_without_a_trained_approach_nothing_is_trained(workflow):
    assert workflow.planned(**settings()) == BUNDLED


def test_a_bundle_beside_trained_approaches_adds_no_training(workflow):
    before = workflow.planned()
    planned = workflow.planned(approaches={"theirs": {"title": "Theirs", "bundle": "theirs"}})
    added = {"score": before["score"] + 3, "boundaries": before["boundaries"] + 3}
    assert planned == {**before, **added, "preprocess_bundled": 3, "predict_bundled": 3}


def test_a_missing_bundle_stops_a_run_before_its_first_job_with_its_key(workflow):
    nifti_cohort(workflow.folder / "raw")
    answer = workflow.run("--cores", "1", **settings())
    assert answer.returncode != 0
    assert f"approaches.theirs.bundle: the folder {workflow.folder / 'theirs'} does not exist" in answer.stderr
    assert not (workflow.folder / "results").exists()


def test_the_label_maps_are_those_of_the_results_folder_to_the_voxel(run, tmp_path):
    workflow, results = run
    expected = predicted_there(results, workflow.folder / "results/cohorts/clinic", tmp_path)
    found = sorted((workflow.folder / "results/predictions/theirs/clinic/labels").glob("*.nii.gz"))
    assert [file.name for file in found] == sorted(file.name for file in expected.iterdir())
    assert len(found) == 4
    for file in found:
        there = np.asarray(nib.load(expected / file.name).dataobj)
        assert len(np.unique(there)) > 1
        np.testing.assert_array_equal(np.asarray(nib.load(file).dataobj), there)


def test_two_bundles_with_other_plans_stand_side_by_side(run):
    workflow, _ = run
    routes = pd.read_csv(workflow.folder / "results/predictions/deep/clinic/routes.csv")
    assert set(routes["model"]) == {"context"}
    stores = {file.name for file in (workflow.folder / "results/bundles").glob("*/clinic/[23]d*")}
    assert stores == {"2d", "3d_fullres"}


def test_the_record_beside_the_label_maps_says_which_bundle_made_them(run):
    workflow, _ = run
    record = workflow.folder / "results/predictions/theirs/clinic/bundle.yaml"
    assert record.read_bytes() == (workflow.folder / "theirs/bundle.yaml").read_bytes()


def test_what_is_segmented_is_not_segmented_again_and_another_bundle_segments_anew(run):
    workflow, _ = run
    targets = ("--", "results/predictions/theirs/clinic/labels")
    assert workflow.planned(*targets) == {}
    again = workflow.planned(*targets, approaches={"theirs": {"bundle": "deep"}})
    assert again == {"preprocess_bundled": 1, "predict_bundled": 1}


def test_a_changed_byte_stops_the_run_with_the_name_of_the_file(run):
    workflow, _ = run
    file = workflow.folder / "theirs/models/apex/plans.json"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"z", b"Z", 1))
    try:
        forced = ("--forcerun", "predict_bundled", "--", "results/predictions/theirs/clinic/labels")
        answer = workflow.run("--cores", "1", *forced)
    finally:
        file.write_bytes(whole)
    assert answer.returncode != 0
    assert re.search(r"theirs/models/apex/plans\.json: was changed or damaged", answer.stderr)
