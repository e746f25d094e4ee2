"""What is packed of an approach, and what never is."""

import re

import pytest
import torch
import yaml
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from tiny_results import PATIENTS, Results

from cmrslices.commands.bundling import make_bundle
from cmrslices.prediction.bundle import open_bundle
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.nnunet import TRAINERS


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("run") / "results").make()


@pytest.fixture(scope="module")
def bundle(results):
    """Of the paper's approach 2."""
    return make_bundle(results.root, "classification", results.root.parent / "bundle")


def names(bundle):
    return sorted(bundle.content["files"])


def test_what_the_approach_needs_is_packed_and_nothing_else(bundle):
    models = [f"models/{model}/{file}" for model in ("apex", "base", "baseline")
              for file in ("dataset.json", "fold_0/checkpoint_final.pth", "plans.json")]  # fmt: skip
    classifiers = [
        f"classifiers/{name}" for name in ("calibration.yaml", "selected.yaml", "shufflenet_v2_x0_5/weights.pth")
    ]
    assert names(bundle) == sorted(["card.md", "plans/2d.json", "plans/dataset.json", *models, *classifiers])


def test_an_approach_that_reads_all_classifiers_has_them_all_and_their_common_temperature(results, tmp_path):
    bundle = make_bundle(results.root, "stack", tmp_path / "bundle")
    assert bundle.networks == ["mobilenet_v3_small", "shufflenet_v2_x0_5"]
    assert yaml.safe_load((bundle.folder / "classifiers/calibration.yaml").read_text()) == {"all": {"temperature": 1.5}}
    assert "classifiers/selected.yaml" not in names(bundle)


def test_an_extent_brings_its_model_and_its_rates_in_place_of_the_validation_split(results, tmp_path):
    bundle = make_bundle(results.root, "extent_3d", tmp_path / "bundle")
    assert list(bundle.content["models"]) == ["apex", "base", "baseline", "context"]
    assert bundle.content["rates"] == {"labelled": pytest.approx(8.5 / 9), "empty": pytest.approx(0.5 / 3)}
    assert bundle.configurations() == ["2d", "3d_fullres"]


def test_no_name_of_a_patient_is_in_any_file(bundle):
    for file in [bundle.folder / "bundle.yaml", *(bundle.folder / name for name in names(bundle))]:
        content = file.read_bytes()
        assert not [patient for patient in PATIENTS if patient.encode() in content], file


def test_a_checkpoint_keeps_nothing_but_the_network(bundle):
    content = torch.load(bundle.weights("apex"), weights_only=True)
    assert content.keys() == {"network_weights", "trainer_name", "inference_allowed_mirroring_axes", "init_args"}
    assert content["init_args"] == {"configuration": "apex"}
    assert all(isinstance(value, torch.Tensor) for value in content["network_weights"].values())


def test_a_model_of_a_bundle_is_one_of_stock_nnunet(bundle, monkeypatch):
    monkeypatch.setenv("nnUNet_extTrainer", str(TRAINERS))
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(bundle.folder / "models/apex"), (0,), "checkpoint_final.pth")
    assert tuple(predictor.configuration_manager.patch_size) == (32, 32)


def test_settings_versions_and_commit_travel_with_the_models(bundle):
    content = bundle.content
    assert content["settings"] == {"mirroring": True, "precision": "fp32", "regions": {"base": 0.2, "apex": 0.2}}
    assert content["versions"]["nnunetv2"] == "1.0"
    assert (content["workflow"], content["commit"]) == ("0.2.0", "0" * 40)


def test_the_card_tells_data_size_results_by_region_and_limits(bundle):
    card = (bundle.folder / "card.md").read_text()
    assert "Trained on Clinic. Patients: 1 to train on, 1 for validation, 1 for the test." in card
    assert re.search(r"\| Clinic +\| LVBP +\| 80\.00 +\| 90\.00 +\| 60\.00 +\| 80\.00 +\|", card)
    assert re.search(r"\| apex +\| 0\.\d\d +\| \d+\.\d +\|", card)
    assert "selected on the test split of Clinic" in card
    assert "no medical device" in card


@pytest.mark.parametrize(
    ("approach", "message"),
    [
        ("nowhere", r"nowhere: is no approach of this run; there are: baseline, "),
        ("upper_bound", r"upper_bound: takes the regions from reference labels, which new patients do not have"),
        ("given", r"given: has label maps and no models"),
        ("theirs", r"theirs: comes from a bundle; copy that one, bundle"),
    ],
)
def test_an_approach_that_cannot_segment_by_itself_is_refused(results, tmp_path, approach, message):
    with pytest.raises(InputError, match=message):
        make_bundle(results.root, approach, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_not_written_to(results, tmp_path):
    with pytest.raises(InputError, match="is there already"):
        make_bundle(results.root, "baseline", tmp_path)


def test_an_unfinished_run_is_refused_with_the_missing_file_and_leaves_nothing(results, tmp_path):
    with pytest.raises(InputError, match=r"provenance\.yaml is missing; let the run finish first"):
        make_bundle(tmp_path, "baseline", tmp_path / "bundle")
    weights = results.model("baseline") / "fold_0/checkpoint_final.pth"
    weights.rename(weights.with_suffix(".away"))
    try:
        with pytest.raises(InputError, match=r"checkpoint_final\.pth is missing; let the run finish first"):
            make_bundle(results.root, "baseline", tmp_path / "bundle")
    finally:
        weights.with_suffix(".away").rename(weights)
    assert not list(tmp_path.iterdir())


def test_the_same_run_gives_the_same_bundle_to_the_byte(results, bundle, tmp_path):
    assert make_bundle(results.root, "classification", tmp_path / "again").digest == bundle.digest
    assert open_bundle(tmp_path / "again")
