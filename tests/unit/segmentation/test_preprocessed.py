"""Preprocessed cases that no network was trained on."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from damage import DAMAGES
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from tiny_plans import DATASET, PLANS

from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.preprocessed import (
    CASES_AT_ONCE,
    PreprocessedCase,
    read_ahead,
    read_preprocessed,
    write_preprocessed,
)
from cmrslices.segmentation.preprocessing import preprocess_cohort

CASES = {"c_p1_ED": "test", "c_p1_ES": "test", "c_p2_ED": "validation", "c_p3_ED": "train"}


class Cohort:
    """Stacks of five slices, of which the first is all zero, and a plan."""

    def __init__(self, root):
        self.root = root
        self.store = root / "preprocessed"
        (root / "images").mkdir()
        rng = np.random.default_rng(0)
        for case in CASES:
            array = rng.uniform(1, 100, size=(5, 30, 34)).astype(np.float32)
            array[0] = 0
            image = sitk.GetImageFromArray(array)
            image.SetSpacing((1.5, 1.5, 10))
            sitk.WriteImage(image, self.image(case))
        table = pd.DataFrame({"case": CASES.keys(), "patient": "p", "split": CASES.values()})
        table.to_csv(root / "splits.csv", index=False)
        (root / "plans.json").write_text(json.dumps(PLANS))
        (root / "dataset.json").write_text(json.dumps(DATASET))

    def image(self, case):
        return self.root / f"images/{case}_0000.nii.gz"

    def preprocess(self, threads=1):
        names = {"plans": "plans.json", "dataset": "dataset.json", "images": "images", "splits": "splits.csv"}
        arguments = {name: str(self.root / file) for name, file in names.items()}
        preprocess_cohort(**arguments, threads=threads, store=str(self.store))


@pytest.fixture
def cohort(tmp_path):
    return Cohort(tmp_path)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_validation_and_test_cases_are_preprocessed(cohort, threads):
    cohort.preprocess(threads)
    assert {path.stem for path in cohort.store.iterdir()} == {"c_p1_ED", "c_p1_ES", "c_p2_ED"}


def test_a_case_is_what_nnunet_makes_of_it(cohort):
    cohort.preprocess()
    manager = PlansManager(PLANS)
    voxels, _, properties = DefaultPreprocessor(verbose=False).run_case(
        [str(cohort.image("c_p1_ED"))], None, manager, manager.get_configuration("2d"), DATASET
    )
    case = read_preprocessed(cohort.store, "c_p1_ED")
    assert case.voxels.dtype == np.float32
    np.testing.assert_array_equal(case.voxels, voxels)
    assert case.properties == json.loads(json.dumps(properties, default=lambda value: value.tolist()))
    assert (case.kept, case.length) == (range(1, 5), 5)


@pytest.mark.parametrize("damage", [lambda content: b"no image", lambda content: content[: len(content) // 2]])
def test_an_image_that_cannot_be_read_is_named(cohort, damage):
    image = cohort.image("c_p1_ES")
    image.write_bytes(damage(image.read_bytes()))
    with pytest.raises(InputError, match=r"c_p1_ES_0000\.nii\.gz: cannot be read"):
        cohort.preprocess()


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_image_that_is_not_whole_is_named(cohort, damage):
    damage(cohort.image("c_p1_ES"))
    with pytest.raises(InputError, match=r"c_p1_ES_0000\.nii\.gz: cannot be read .*; delete the folder"):
        cohort.preprocess()


@pytest.mark.parametrize("suffix", ["npy", "json"])
@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-9])])
def test_a_damaged_file_is_named(tmp_path, suffix, damage):
    write_preprocessed(
        tmp_path, "c_p1_ED", PreprocessedCase(np.ones((1, 2, 3, 4), np.float32), {"spacing": (8.0, 2.0, 2.0)})
    )
    damage(tmp_path / f"c_p1_ED.{suffix}")
    with pytest.raises(InputError, match="c_p1_ED cannot be read"):
        read_preprocessed(tmp_path, "c_p1_ED")


def test_cases_are_read_ahead_in_order_and_only_a_few():
    started = []

    def read_item(item):
        started.append(item)
        return item

    with ThreadPoolExecutor(2) as pool:
        groups = read_ahead(read_item, range(5 * CASES_AT_ONCE), pool)
        first = next(groups)
        assert first == list(range(CASES_AT_ONCE))
        assert len(started) <= 2 * CASES_AT_ONCE
        assert [item for group in groups for item in group] == list(range(CASES_AT_ONCE, 5 * CASES_AT_ONCE))
