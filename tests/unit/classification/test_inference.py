"""Region probabilities of validation and test cases."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from tiny_plans import DATASET, PLANS

from cmrslices.classification import networks
from cmrslices.classification.inference import classify, read_unseen_slices
from cmrslices.classification.slices import read_stored_slices
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.preprocessed import write_preprocessed
from cmrslices.segmentation.preprocessing import preprocess

CASES = {"c_p1_ED": "test", "c_p2_ED": "validation", "c_p3_ED": "train"}


@pytest.fixture
def cohort(tmp_path):
    """Three stacks of five slices, of which the first and the last are all zero; plans; weights."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    rng = np.random.default_rng(0)
    for case in CASES:
        array = rng.uniform(1, 100, size=(5, 30, 34)).astype(np.float32)
        array[[0, 4]] = 0
        for folder, name, content in (
            ("images", f"{case}_0000", array),
            ("labels", case, (array > 50).astype(np.uint8)),
        ):
            image = sitk.GetImageFromArray(content)
            image.SetSpacing((1.5, 1.5, 10))
            sitk.WriteImage(image, tmp_path / folder / f"{name}.nii.gz")
    table = pd.DataFrame({"case": CASES.keys(), "patient": "p", "split": CASES.values()})
    table.to_csv(tmp_path / "splits.csv", index=False)
    (tmp_path / "preprocessed").mkdir()
    for case in CASES:
        image = tmp_path / f"images/{case}_0000.nii.gz"
        write_preprocessed(tmp_path / "preprocessed", case, preprocess(image, PlansManager(PLANS), DATASET))
    torch.manual_seed(0)
    state = networks.build("squeezenet1_1", 32).state_dict()
    trained = {"network": "squeezenet1_1", "image_size_px": 32, "field_of_view_mm": 40.0, "state_dict": state}
    torch.save(trained, tmp_path / "weights.pth")
    return tmp_path


def classified(cohort):
    """What `classify` writes for the cohort."""
    classify(
        weights=cohort / "weights.pth",
        store=cohort / "preprocessed",
        splits=cohort / "splits.csv",
        threads=1,
        probabilities=cohort / "probabilities.csv",
    )
    return pd.read_csv(cohort / "probabilities.csv")


@pytest.fixture
def probabilities(cohort):
    return classified(cohort)


def test_every_slice_of_validation_and_test_cases_has_a_row(probabilities):
    assert probabilities.columns.tolist() == ["case", "slice", *SLICE_CLASSES]
    expected = [(case, index) for case in ("c_p1_ED", "c_p2_ED") for index in range(5)]
    assert list(zip(probabilities["case"], probabilities["slice"], strict=True)) == expected


def test_probabilities_of_a_slice_sum_to_one(probabilities):
    np.testing.assert_allclose(probabilities[list(SLICE_CLASSES)].sum(axis=1), 1, atol=1e-5)


def test_an_all_zero_slice_at_the_end_is_non_cardiac(probabilities):
    assert (probabilities.loc[probabilities["slice"].isin([0, 4]), "non-cardiac"] == 1).all()
    assert (probabilities.loc[probabilities["slice"].isin([1, 2, 3]), "non-cardiac"] < 1).all()


def test_a_case_is_classified_the_same_whatever_cases_are_beside_it(cohort, probabilities):
    table = pd.read_csv(cohort / "splits.csv")
    table[table["case"] == "c_p2_ED"].to_csv(cohort / "splits.csv", index=False)
    together = probabilities[probabilities["case"] == "c_p2_ED"].reset_index(drop=True)
    pd.testing.assert_frame_equal(classified(cohort), together, atol=2e-6)


def test_inference_sees_what_training_sees(cohort):
    manager = PlansManager(PLANS)
    configuration = manager.get_configuration("2d")
    store = cohort / "store"
    (store / "2d").mkdir(parents=True)
    configuration.preprocessor_class(verbose=False).run_case_save(
        str(store / "2d/c_p1_ED"),
        [str(cohort / "images/c_p1_ED_0000.nii.gz")],
        str(cohort / "labels/c_p1_ED.nii.gz"),
        manager,
        configuration,
        DATASET,
    )
    regions = pd.DataFrame({"case": "c_p1_ED", "slice": range(5), "region": "middle"})
    trained_on = read_stored_slices(store, ["c_p1_ED"], regions, side_mm=40, size_px=32, memory_mb=1000).images
    unseen = read_unseen_slices(cohort / "preprocessed", "c_p1_ED", 40, 32)
    assert torch.equal(trained_on, unseen.slices.half())


@pytest.mark.parametrize("content", [b"", b"no weights", None], ids=["empty", "other", "truncated"])
def test_damaged_weights_are_named_with_the_remedy(cohort, content):
    weights = cohort / "weights.pth"
    weights.write_bytes(weights.read_bytes()[:-1000] if content is None else content)
    with pytest.raises(InputError, match=r"weights\.pth: .*delete the file and run again$"):
        classified(cohort)
