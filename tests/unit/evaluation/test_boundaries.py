"""Boundaries: distances of contours by DeepMind's 2D definition, and what a cohort's file of them holds."""

import importlib
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from damage import DAMAGES
from scipy.ndimage import gaussian_filter

from cmrslices.evaluation import boundaries
from cmrslices.evaluation.boundaries import contour_distances, contours, measure_cohort, measure_slices, read_boundaries
from cmrslices.runtime.errors import InputError

# ---- One slice and label ----------------------------------------------------


def image(*boxes, shape=(16, 16)):
    """A mask of boxes, each (first row, first column, rows, columns)."""
    mask = np.zeros(shape, dtype=bool)
    for row, column, rows, columns in boxes:
        mask[row : row + rows, column : column + columns] = True
    return mask


def contour(mask, spacing_mm=(1, 1)):
    return contours(mask[None], spacing_mm)[0]


def distances(prediction, reference, spacing_mm=(1, 1)):
    return contour_distances(contour(prediction, spacing_mm), contour(reference, spacing_mm))


SQUARE = image((4, 4, 5, 5))


def test_equal_masks_have_no_distance_between_them():
    assert distances(SQUARE, SQUARE) == (0, 0, 0)


@pytest.mark.parametrize("pixels", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_square_moved_by_n_pixels_is_n_spacings_away(pixels, axis):
    spacing_mm = (1.25, 1.5)
    moved = np.roll(SQUARE, pixels, axis=axis)
    found = distances(moved, SQUARE, spacing_mm)
    assert found.hd_mm == found.hd95_mm == pytest.approx(pixels * spacing_mm[axis])


def test_hd_is_taken_from_the_contour_that_is_farther_away():
    with_an_island = SQUARE | image((5, 14, 1, 1))
    # The island's right edge, corner 15, lies 6 columns from the square's right edge, corner 9.
    assert distances(with_an_island, SQUARE).hd_mm == distances(SQUARE, with_an_island).hd_mm == 6


def test_hd95_leaves_out_a_twentieth_of_the_length():
    square, speck = image((2, 2, 20, 20), shape=(40, 40)), image((5, 35, 1, 1), shape=(40, 40))
    # Contour of the square: 4 * 19 + 4 * √½ = 78.8; of the speck: 4 * √½ = 2.8, which is 3.5 % of both.
    found = distances(square | speck, square)
    assert found.hd_mm == 36 - 22
    assert found.hd95_mm == 0


def test_hd95_counts_elements_by_their_length():
    square, speck = image((2, 2, 10, 10), shape=(40, 40)), image((5, 35, 1, 1), shape=(40, 40))
    # Four of the 44 elements belong to the speck: 9 % of their number, but 4 * √½ of 41.7 = 6.8 % of the length.
    found = distances(square | speck, square)
    assert found.hd95_mm > 0
    without_length = image((2, 2, 14, 14), shape=(40, 40))
    # Here they are 6.7 % of the number (4 of 60), and 4.9 % of the length (2.83 of 57.7).
    assert distances(without_length | speck, without_length).hd95_mm == 0


def test_assd_is_the_mean_over_the_length_of_both_contours():
    inner, outer = image((6, 6, 4, 4)), image((4, 4, 8, 8))
    # Inner contour: 12 sides of 1 mm, 2 mm away, and 4 corners of √½ mm, also 2 mm away.
    length_of_inner = 12 + 4 * math.sqrt(0.5)
    # Outer contour, each side: 5 elements 2 mm away, 2 elements √5 mm away; and corners √8 mm away.
    length_of_outer = 28 + 4 * math.sqrt(0.5)
    weighted = 2 * length_of_inner + 4 * (5 * 2 + 2 * math.sqrt(5)) + 4 * math.sqrt(0.5) * math.sqrt(8)
    assert distances(inner, outer).assd_mm == pytest.approx(weighted / (length_of_inner + length_of_outer))


def test_rows_and_columns_have_their_own_spacing():
    upright, across = image((4, 4, 6, 1)), image((4, 4, 1, 6))
    assert distances(upright, image((4, 4, 7, 1)), spacing_mm=(3, 1)).hd_mm == 3
    assert distances(across, image((4, 4, 1, 7)), spacing_mm=(3, 1)).hd_mm == 1


def test_a_single_pixel_has_a_contour_of_its_four_corners():
    found = contour(image((0, 0, 1, 1)), spacing_mm=(3, 4))
    assert found.corners_mm.tolist() == [[0, 0], [0, 4], [3, 0], [3, 4]]
    assert found.lengths_mm.tolist() == [2.5] * 4


def test_distances_of_two_single_pixels_are_those_of_their_corners():
    # Columns 3 to 4 and 9 to 10: two corners of each pixel are 5 mm from the other pixel, and two are 6 mm from it.
    assert distances(image((2, 3, 1, 1)), image((2, 9, 1, 1))) == pytest.approx((6, 6, 5.5))


def test_pixels_that_touch_at_a_corner_have_both_halves_of_a_diagonal_there():
    found = contour(image((0, 0, 1, 1), (1, 1, 1, 1)), spacing_mm=(3, 4))
    lengths = dict(zip(map(tuple, found.corners_mm.tolist()), found.lengths_mm.tolist(), strict=True))
    assert lengths[3, 4] == 5


def test_the_border_of_the_image_closes_a_contour():
    whole = np.ones((6, 6), dtype=bool)
    inside = np.pad(whole, 3)
    assert contour(whole).lengths_mm.sum() == contour(inside).lengths_mm.sum() == pytest.approx(20 + 4 * math.sqrt(0.5))


def test_distances_do_not_depend_on_where_in_the_image_the_masks_lie():
    prediction, reference = image((1, 1, 5, 5), (0, 3, 2, 2)), image((0, 0, 6, 4))
    expected = distances(np.pad(prediction, 9), np.pad(reference, 9))
    assert distances(prediction[:6, :6], reference[:6, :6]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "reference"),
    [(SQUARE, np.zeros_like(SQUARE)), (np.zeros_like(SQUARE), SQUARE), (np.zeros_like(SQUARE), np.zeros_like(SQUARE))],
    ids=["no reference", "no prediction", "neither"],
)
def test_a_mask_without_pixels_has_no_distance(prediction, reference):
    assert all(map(math.isnan, distances(prediction, reference)))


def test_contours_compared_in_parts_have_the_same_distances(monkeypatch):
    prediction, reference = blobs(seed=1, shape=(40, 40)), blobs(seed=2, shape=(40, 40))
    expected = distances(prediction, reference)
    monkeypatch.setattr(boundaries, "PAIRS", 500)
    assert distances(prediction, reference) == expected


# ---- Agreement with the definition and with DeepMind's code ------------------


def blobs(seed, shape=(30, 24)):
    """A mask of smooth blobs, some of them at the border of the image."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return noise > np.quantile(noise, 0.7)


def by_definition(mask, spacing_mm):
    """Corners of a contour and the length at each, from the outline of the definition, pixel by pixel."""
    down, across = spacing_mm
    half_diagonal = math.hypot(down, across) / 2
    padded = np.pad(mask, 1)
    elements = []
    for i, j in itertools.product(range(mask.shape[0] + 1), range(mask.shape[1] + 1)):
        (a, b), (c, d) = padded[i : i + 2, j : j + 2].tolist()
        inside = a + b + c + d
        if inside in (1, 3):
            elements.append((i, j, half_diagonal))
        elif inside == 2 and a == d:
            elements.append((i, j, 2 * half_diagonal))
        elif inside == 2:
            elements.append((i, j, across if a == b else down))
    return elements


def slow_distances(prediction, reference, spacing_mm):
    """HD, HD95 and ASSD from all pairs of elements, one at a time."""
    one, other = (by_definition(mask, spacing_mm) for mask in (prediction, reference))
    hd, hd95, weighted, length = [], [], 0, 0
    for own, others in ((one, other), (other, one)):
        nearest = [
            (min(math.hypot((i - k) * spacing_mm[0], (j - m) * spacing_mm[1]) for k, m, _ in others), weight)
            for i, j, weight in own
        ]
        nearest.sort()
        whole, up_to = sum(weight for _, weight in nearest), 0
        hd.append(nearest[-1][0])
        weighted += sum(distance * weight for distance, weight in nearest)
        length += whole
        for distance, weight in nearest:
            up_to += weight
            if up_to / whole >= 0.95:
                hd95.append(distance)
                break
    return max(hd), max(hd95), weighted / length


SPACINGS_MM = [(1, 1), (1.5625, 1.5625), (0.7, 1.9), (2.5, 1.25)]


@pytest.mark.parametrize("spacing_mm", SPACINGS_MM)
@pytest.mark.parametrize("seed", range(5))
def test_distances_are_those_of_the_definition_written_as_loops(seed, spacing_mm):
    prediction, reference = blobs(2 * seed), blobs(2 * seed + 1)
    expected = slow_distances(prediction, reference, spacing_mm)
    np.testing.assert_allclose(distances(prediction, reference, spacing_mm), expected, rtol=1e-9)


@pytest.fixture(scope="module")
def surface_distance():
    package = pytest.importorskip("surface_distance")
    # Version 0.1 calls two deprecated modules of SciPy, which no longer are there unless somebody imports them.
    for module in ("filters", "morphology"):
        importlib.import_module(f"scipy.ndimage.{module}")
    return package


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("spacing_mm", SPACINGS_MM)
@pytest.mark.parametrize("seed", range(5))
def test_distances_agree_with_surface_distance(surface_distance, seed, spacing_mm):
    prediction, reference = blobs(2 * seed, shape=(60, 50)), blobs(2 * seed + 1, shape=(60, 50))
    theirs = surface_distance.compute_surface_distances(reference, prediction, spacing_mm)
    sides = [
        (f"distances_{first}_to_{second}", f"surfel_areas_{first}")
        for first, second in (("gt", "pred"), ("pred", "gt"))
    ]
    lengths = [theirs[length].sum() for _, length in sides]
    means = surface_distance.compute_average_surface_distance(theirs)
    expected = (
        surface_distance.compute_robust_hausdorff(theirs, 100),
        surface_distance.compute_robust_hausdorff(theirs, 95),
        np.average(means, weights=lengths),
    )
    np.testing.assert_allclose(distances(prediction, reference, spacing_mm), expected, rtol=1e-12)


# ---- All slices of a case ---------------------------------------------------


def label_maps(*slices):
    """A case with one row of pixels per slice."""
    return np.array(slices, dtype=np.uint8)[:, None, :]


def found(prediction, reference):
    measured = measure_slices(prediction, reference, spacing_mm=(1, 1))
    return {(boundary.slice, boundary.label): boundary.found for boundary in measured}


def test_a_label_is_missed_or_invented_where_only_one_label_map_carries_it():
    assert found(label_maps([1, 0, 3], [0, 2, 0]), label_maps([1, 2, 0], [0, 2, 0])) == {
        (0, "LVBP"): "both",
        (0, "LVM"): "missed",
        (0, "RVBP"): "invented",
        (1, "LVM"): "both",
    }


def test_a_case_without_any_label_has_no_boundary():
    assert measure_slices(label_maps([0, 0]), label_maps([0, 0]), spacing_mm=(1, 1)) == []


def test_every_slice_is_measured_for_itself():
    prediction, reference = (np.stack([blobs(seed), blobs(seed + 1)]) for seed in (1, 5))
    measured = measure_slices(prediction.astype(np.uint8), reference.astype(np.uint8), spacing_mm=(1.5, 2))
    expected = [distances(*pair, (1.5, 2)) for pair in zip(prediction, reference, strict=True)]
    assert [boundary.distances for boundary in measured] == expected


# ---- A cohort ---------------------------------------------------------------


@pytest.fixture
def cohort(tmp_path):
    """Two test cases of two slices and one training case; pixels are 2 mm wide and 1 mm high."""
    reference = label_maps([0, 0, 0, 0, 0], [1, 2, 3, 0, 0])
    cases = {"case": ["c_008_ED", "c_007_ES", "c_007_ED"], "patient": ["008", "007", "007"]}
    for folder, case in itertools.product(("predictions", "references"), cases["case"]):
        (tmp_path / folder).mkdir(exist_ok=True)
        write_image(tmp_path / folder / f"{case}.nii.gz", reference)
    pd.DataFrame({**cases, "split": ["train", "test", "test"]}).to_csv(tmp_path / "splits.csv", index=False)
    slices = pd.DataFrame({"slice": [0, 1], "region": ["non-cardiac", "middle"], "position": [np.nan, 0.5]})
    pd.DataFrame({**cases, "phase": ["ED", "ES", "ED"]}).merge(slices, how="cross").to_csv(
        tmp_path / "slices.csv", index=False
    )
    return tmp_path


def write_image(path, array):
    volume = sitk.GetImageFromArray(array)
    volume.SetSpacing((2.0, 1.0, 8.0))
    sitk.WriteImage(volume, path)


def measure(folder, threads=1):
    parts = {name: folder / name for name in ("predictions", "references")}
    tables = {name: folder / f"{name}.csv" for name in ("slices", "splits", "boundaries")}
    measure_cohort(**parts, **tables, cohort="c", approach="baseline", threads=threads)
    return read_boundaries([folder / "boundaries.csv"], ["c"], ["baseline"])


def test_a_cohort_is_written_to_the_byte(cohort):
    write_image(cohort / "predictions/c_007_ES.nii.gz", label_maps([3, 0, 0, 0, 0], [0, 1, 0, 3, 0]))
    measure(cohort)
    assert (cohort / "boundaries.csv").read_text().splitlines() == [
        "cohort,approach,case,patient,phase,slice,region,position,label,found,hd_mm,hd95_mm,assd_mm",
        "c,baseline,c_007_ED,007,ED,1,middle,0.5,LVBP,both,0.0,0.0,0.0",
        "c,baseline,c_007_ED,007,ED,1,middle,0.5,LVM,both,0.0,0.0,0.0",
        "c,baseline,c_007_ED,007,ED,1,middle,0.5,RVBP,both,0.0,0.0,0.0",
        "c,baseline,c_007_ES,007,ES,0,non-cardiac,,RVBP,invented,,,",
        "c,baseline,c_007_ES,007,ES,1,middle,0.5,LVBP,both,2.0,2.0,1.0",
        "c,baseline,c_007_ES,007,ES,1,middle,0.5,LVM,missed,,,",
        "c,baseline,c_007_ES,007,ES,1,middle,0.5,RVBP,both,2.0,2.0,1.0",
    ]


def test_the_number_of_processes_does_not_change_the_file(cohort):
    measure(cohort, threads=1)
    alone = (cohort / "boundaries.csv").read_bytes()
    measure(cohort, threads=3)
    assert (cohort / "boundaries.csv").read_bytes() == alone


def test_a_cohort_in_which_nothing_is_labelled_has_a_file_without_rows(cohort):
    for file in cohort.glob("*/*.nii.gz"):
        write_image(file, label_maps([0] * 5, [0] * 5))
    assert len(measure(cohort)) == 0


def test_missed_labels_have_no_number_when_they_are_read_again(cohort):
    for file in cohort.glob("predictions/*.nii.gz"):
        write_image(file, label_maps([0] * 5, [0] * 5))
    table = measure(cohort)
    assert table["found"].unique().tolist() == ["missed"]
    assert table[["hd_mm", "hd95_mm", "assd_mm"]].isna().all(axis=None)


def test_a_missing_prediction_names_the_case(cohort):
    (cohort / "predictions/c_007_ED.nii.gz").unlink()
    with pytest.raises(InputError, match=r"c_007_ED: no label map .*; delete its folder and run the workflow again"):
        measure(cohort)
    assert not (cohort / "boundaries.csv").exists()


@pytest.mark.parametrize("folder", ["predictions", "references"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_label_map_that_is_not_whole_is_named(cohort, damage, folder):
    damage(cohort / folder / "c_007_ED.nii.gz")
    with pytest.raises(InputError, match=rf"{folder}/c_007_ED\.nii\.gz: cannot be read"):
        measure(cohort)


def test_a_prediction_on_another_grid_names_the_case(cohort):
    write_image(cohort / "predictions/c_007_ES.nii.gz", label_maps([0], [1]))
    with pytest.raises(InputError, match=r"c_007_ES: prediction and reference differ in size"):
        measure(cohort)


def test_slices_that_do_not_fit_the_label_map_name_the_case(cohort):
    slices = pd.read_csv(cohort / "slices.csv")
    slices[slices["slice"] == 0].to_csv(cohort / "slices.csv", index=False)
    with pytest.raises(InputError, match=r"slices.csv: .* c_007_ED"):
        measure(cohort)


def test_an_empty_test_split_is_an_error(cohort):
    splits = pd.read_csv(cohort / "splits.csv", dtype=str).assign(split="train")
    splits.to_csv(cohort / "splits.csv", index=False)
    with pytest.raises(InputError, match=r"splits.csv: no case is in the test split"):
        measure(cohort)
