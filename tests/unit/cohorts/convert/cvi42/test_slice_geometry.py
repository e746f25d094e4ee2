"""Where the images of a study lie: parallel ones, their positions, and the affine of the cine."""

from dataclasses import replace

import numpy as np
import pytest
from dicom_files import LONG_AXIS, SHORT_AXIS, place
from frames import cine, named

from cmrslices.cohorts.convert.cvi42.cine import find_cine
from cmrslices.cohorts.convert.cvi42.slice_geometry import (
    describe_difference,
    group_by_geometry,
    group_by_position,
    is_on_grid,
)


def test_images_are_grouped_by_orientation_spacing_and_matrix():
    sax, tilted = cine(times=1), cine("2ch", [0], 1, orientation=LONG_AXIS)
    coarse, cropped = cine("lge", [0], 1, spacing_mm=(1.6, 1.25)), cine("flow", [0], 1, matrix=(6, 7))
    groups = group_by_geometry([*tilted, *sax, *coarse, *cropped])
    assert groups == [tilted, sax, coarse, cropped]


def test_rounding_of_a_header_is_no_other_geometry():
    sax = cine(times=1)
    sax[1] = replace(sax[1], spacing_mm=(1.5001, 1.25), orientation=(0.8, 0.6, 0.001, 0.0, 0.0, -1.0))
    assert group_by_geometry(sax) == [sax]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"matrix": (6, 7)}, "6 x 7 against 6 x 8 pixels"),
        ({"spacing_mm": (1.6, 1.25)}, "1.6 x 1.25 against 1.5 x 1.25 mm pixels"),
        ({"orientation": LONG_AXIS}, "turned by 90 degrees"),
    ],
)
def test_a_difference_of_geometry_is_told_in_words(change, difference):
    one = cine(times=1)[0]
    assert describe_difference(replace(one, **change), one) == difference


def test_images_are_grouped_by_position_from_base_to_apex():
    images = [each for position in (3, 1, 1.05, 2) for each in cine(positions=[position], times=1)]
    groups = group_by_position(images)
    assert [[each.key[0] for each in together] for _, together in groups] == [
        ["sax-1-0", "sax-1.05-0"],
        ["sax-2-0"],
        ["sax-3-0"],
    ]
    np.testing.assert_allclose(np.diff([position_mm for position_mm, _ in groups]), [7.8, 8], atol=1e-4)


@pytest.mark.parametrize(("position_mm", "on_grid"), [(16, True), (40, True), (-8, True), (33, True), (12, False)])
def test_a_position_is_on_the_grid_if_it_lies_whole_steps_from_a_slice(position_mm, on_grid):
    assert is_on_grid(position_mm, [0, 8, 16, 24]) == on_grid


def test_the_affine_leads_from_column_row_and_slice_to_ras():
    stack = find_cine(cine(), named(cine()))
    for column, row, index in [(0, 0, 0), (7, 0, 0), (0, 5, 0), (3, 2, 5)]:
        lps = np.add(place(index), column * 1.25 * np.array(SHORT_AXIS[:3]) + row * 1.5 * np.array(SHORT_AXIS[3:]))
        np.testing.assert_allclose(stack.affine @ (column, row, index, 1), [*lps * (-1, -1, 1), 1], atol=1e-4)


def test_the_directions_are_orthonormal_where_the_header_rounds():
    rounded = (0.801, 0.599, 0.0, 0.001, 0.0, -1.0)
    stack = find_cine(cine(orientation=rounded), named(cine()))
    directions = stack.affine[:3, :3] / np.linalg.norm(stack.affine[:3, :3], axis=0)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(stack.affine[:3, :3], axis=0), [1.25, 1.5, 8.0], rtol=1e-3)


def test_uneven_distances_are_noted_and_their_mean_is_the_spacing():
    frames = cine(positions=[0, 1, 2.4, 3, 4])
    stack = find_cine(frames, named(frames))
    assert stack.notes == ("spacing-uneven",)
    np.testing.assert_allclose(np.linalg.norm(stack.affine[:3, 2]), 8.0, rtol=1e-6)


def test_distances_that_differ_by_rounding_are_even():
    frames = cine(positions=[0, 1.01, 2, 3.02, 4])
    assert find_cine(frames, named(frames)).notes == ()


def test_a_slice_moved_in_its_plane_is_noted_and_leaves_the_others_where_they_are():
    def moved(each):
        return replace(each, position_mm=tuple(np.add(each.position_mm, 5 * np.array(SHORT_AXIS[:3]))))

    plain = find_cine(cine(), named(cine()))
    stack = find_cine([moved(each) if "-0-" in each.key[0] else each for each in cine()], named(cine()))
    assert stack.notes == ("in-plane-offset-slice-0-by-5.0-mm",)
    np.testing.assert_allclose(stack.affine, plain.affine, atol=1e-6)


def test_a_slice_moved_by_less_than_a_pixel_is_not_noted():
    frames = [replace(each, position_mm=tuple(np.add(each.position_mm, (0, 0, 1.2)))) for each in cine(positions=[2])]
    frames += cine(positions=[0, 1, 3, 4, 5])
    assert find_cine(frames, named(frames)).notes == ()
