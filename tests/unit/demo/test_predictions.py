"""Label maps of the demo's bad segmenters."""

import nibabel as nib
import numpy as np
import pytest
from raw_cohorts import LVBP, heart, oblique, save

from cmrslices.demo.predictions import CHANGES, apexless, eroded, make_demo_predictions, shifted


def draw():
    return np.random.default_rng(3)


def test_an_eroded_heart_and_its_cavity_are_smaller():
    changed = eroded(heart(), draw())
    assert 0 < (changed == LVBP).sum() < (heart() == LVBP).sum()
    assert 0 < (changed > 0).sum() < (heart() > 0).sum()
    assert not changed[heart() == 0].any()


def test_a_shifted_heart_is_the_same_elsewhere():
    changed = shifted(heart(), draw())
    assert (changed != heart()).any()
    assert np.array_equal(np.bincount(changed.ravel()), np.bincount(heart().ravel()))


def test_an_apexless_heart_lacks_a_quarter_of_its_slices_at_the_apex():
    labelled = np.flatnonzero(apexless(heart(), draw()).any(axis=(0, 1)))
    assert labelled.tolist() == [1, 2, 3, 4]  # of 1 to 6


@pytest.mark.parametrize("kind", CHANGES)
def test_every_reference_gets_a_label_map_on_its_grid_the_same_for_the_same_seed(tmp_path, kind):
    for case in ("a", "b"):
        save(heart(), tmp_path / f"labels/{case}.nii.gz", oblique())
    for folder in ("one", "two"):
        make_demo_predictions(tmp_path / "labels", kind, 7, tmp_path / folder, threads=1)
    for case in ("a", "b"):
        one, two = (nib.load(tmp_path / folder / f"{case}.nii.gz") for folder in ("one", "two"))
        assert np.allclose(one.affine, oblique())
        assert np.array_equal(one.dataobj, two.dataobj)
