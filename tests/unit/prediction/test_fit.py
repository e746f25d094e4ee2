"""Label maps that fit the reference much better in another way are faults; those of a bad segmenter are not."""

import numpy as np
import pytest
from raw_cohorts import LVBP, LVM, RVBP
from scipy.ndimage import binary_erosion

from cmrslices.prediction.fit import fit_faults, measure_fit

CASES = 6


def heart(number):
    """Label map of one of several hearts, at other places of an image and of other sizes."""
    draw = np.random.default_rng(number)
    x, y, z = np.indices((80, 80, 10))
    left_x, left_y, size = 46 + draw.integers(-3, 4), 36 + draw.integers(-3, 4), 12 + draw.uniform(-1.5, 1.5)
    radius = size * (1 - 0.09 * (z - 1))
    label = np.zeros(x.shape, dtype=np.uint8)
    label[(x - left_x + 1.2 * radius) ** 2 + (y - left_y + 0.9 * radius) ** 2 <= radius**2] = RVBP
    label[(x - left_x) ** 2 + (y - left_y) ** 2 <= radius**2] = LVM
    label[(x - left_x) ** 2 + (y - left_y) ** 2 <= (0.65 * radius) ** 2] = LVBP
    label[:, :, [0, 9]] = 0
    return label


def good(label, draw):
    """As a good segmenter finds the heart: a pixel off, and a pixel smaller in half of the slices."""
    moved = np.roll(label, draw.integers(-1, 2, 2).tolist(), axis=(0, 1))
    smaller = np.where(binary_erosion(moved > 0, np.ones((3, 3, 1))), moved, 0)
    return np.where(draw.random(label.shape[2]) < 0.5, moved, smaller)


def faults_of(change):
    """Faults of all cases, when each label map is changed."""
    draw = np.random.default_rng(0)
    references = {f"c{number}": heart(number) for number in range(CASES)}
    return fit_faults({case: measure_fit(change(label, draw), label) for case, label in references.items()})


def without(label, part):
    labelled = np.flatnonzero(label.any(axis=(0, 1)))
    changed = label.copy()
    changed[:, :, labelled[part]] = 0
    return changed


def in_a_box(label, value):
    changed = np.zeros_like(label)
    changed[28:52, 28:52, 1:9] = value
    return changed


BAD = {
    "as good as it gets": lambda label, draw: label,
    "good": good,
    "much too small": lambda label, draw: np.where(binary_erosion(label > 0, np.ones((9, 9, 1))), label, 0),
    "empty": lambda label, draw: np.zeros_like(label),
    "without the apex": lambda label, draw: without(good(label, draw), slice(-3, None)),
    "without the base": lambda label, draw: without(good(label, draw), slice(None, 3)),
    "hardly any slice": lambda label, draw: without(good(label, draw), slice(2, None)),
    "noise": lambda label, draw: draw.integers(0, 4, label.shape),
    "one label only": lambda label, draw: np.where(label == LVM, LVM, 0),
    "everything one label": lambda label, draw: np.where(label > 0, LVBP, 0),
    "a box": lambda label, draw: in_a_box(label, LVM),
    "off by up to 3 pixels": lambda label, draw: np.roll(label, draw.integers(-3, 4, 2).tolist(), axis=(0, 1)),
    "off by the same two pixels": lambda label, draw: np.roll(label, (2, 2), axis=(0, 1)),
    "the right ventricle taken for the left in half of the slices": lambda label, draw: np.where(
        (label == RVBP) & (draw.random(label.shape[2]) < 0.5), LVBP, label
    ),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_bad_segmenter_is_not_refused(change):
    assert faults_of(change) == {}


def test_a_segmenter_that_is_a_pixel_off_in_coarse_images_is_not_refused():
    coarse = {f"c{number}": heart(number)[::3, ::3] for number in range(CASES)}
    fits = {case: measure_fit(np.roll(label, (1, -1), axis=(0, 1)), label) for case, label in coarse.items()}
    assert max(fit.given for fit in fits.values()) < 0.7
    assert fit_faults(fits) == {}


EXCHANGED = np.array([0, RVBP, LVM, LVBP])
WRONG = {
    "mirrored along x": lambda label: label[::-1],
    "mirrored along y": lambda label: label[:, ::-1],
    "mirrored along x and mirrored along y": lambda label: label[::-1, ::-1],
    "x and y exchanged": lambda label: label.transpose(1, 0, 2),
    "with its slices reversed": lambda label: label[:, :, ::-1],
    "with its LVBP as RVBP, its RVBP as LVBP": lambda label: EXCHANGED[label],
}


@pytest.mark.parametrize("words", WRONG)
def test_what_was_exported_wrongly_is_a_fault_of_every_case_that_says_how(words):
    faults = faults_of(lambda label, draw: WRONG[words](good(label, draw)))
    assert len(faults) >= CASES - 1
    for fault in faults.values():
        assert f"much better {words}" in fault


@pytest.mark.parametrize("shift", [(9, -6, 0), (0, 0, 1), (0, 4, -1)])
def test_a_shift_of_all_cases_is_a_fault_that_says_how_to_move_them_back(shift):
    faults = faults_of(lambda label, draw: np.roll(label, shift, axis=(0, 1, 2)))
    back = ", ".join(str(-step) for step in shift)
    assert len(faults) == CASES
    assert all(f"much better shifted by {back} voxels along x, y, z" in fault for fault in faults.values())


def test_a_single_case_that_is_mirrored_is_found_among_right_ones():
    fits = {f"c{number}": measure_fit(heart(number), heart(number)) for number in range(CASES)}
    fits["c2"] = measure_fit(heart(2)[::-1], heart(2))
    assert list(fit_faults(fits)) == ["c2"]


def test_a_single_case_that_is_shifted_may_be_a_bad_segmentation():
    fits = {f"c{number}": measure_fit(heart(number), heart(number)) for number in range(CASES)}
    fits["c2"] = measure_fit(np.roll(heart(2), 15, axis=0), heart(2))
    assert fit_faults(fits) == {}


def test_shifts_that_differ_between_cases_are_faults_if_all_are_large():
    faults = faults_of(lambda label, draw: np.roll(label, (draw.choice([-12, 12]), 0), axis=(0, 1)))
    assert len(faults) == CASES
    assert {fault.split("better ")[1].split(" voxels")[0] for fault in faults.values()} == {
        "shifted by -12, 0, 0",
        "shifted by 12, 0, 0",
    }


def test_an_empty_prediction_has_no_fit():
    assert measure_fit(np.zeros_like(heart(0)), heart(0)) is None
