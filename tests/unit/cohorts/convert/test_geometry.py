"""Repair of affines, comparison of grids, reversal of slices."""

import numpy as np
import pytest
from raw_cohorts import BARE, SHAPE, SPACING_MM, oblique

from cmrslices.cohorts.convert.geometry import corner_distance_px, repair_affine, reverse_slices


def test_a_sound_affine_is_left_as_it_is():
    affine, repairs = repair_affine(oblique(), np.array(SPACING_MM))
    np.testing.assert_allclose(affine, oblique(), atol=1e-12)
    assert repairs == []


def test_acdcs_sform_of_scale_1_takes_the_spacing_of_pixdim():
    affine, repairs = repair_affine(np.diag([-1.0, -1.0, 1.0, 1.0]), np.array(SPACING_MM))
    np.testing.assert_allclose(affine, BARE)
    assert repairs == ["spacing-from-pixdim"]


def test_oblique_directions_become_the_nearest_rotation():
    sheared = oblique()
    sheared[:3, 2] += 0.05 * sheared[:3, 0]
    spacing_mm = np.linalg.norm(sheared[:3, :3], axis=0)
    affine, repairs = repair_affine(sheared, spacing_mm)
    directions = affine[:3, :3] / spacing_mm
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(directions, oblique()[:3, :3] / SPACING_MM, atol=0.02)
    np.testing.assert_array_equal(affine[:3, 3], sheared[:3, 3])
    assert repairs == ["directions-orthonormalised"]


def test_a_left_handed_grid_stays_left_handed():
    mirrored = oblique() @ np.diag([-1, 1, 1, 1])
    affine, _ = repair_affine(mirrored, np.array(SPACING_MM))
    np.testing.assert_allclose(affine, mirrored, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_distance_of_shifted_grids_is_in_pixels(axis):
    shifted = BARE.copy()
    shifted[axis, 3] += 3.0
    assert corner_distance_px(BARE, shifted, SHAPE) == pytest.approx(2.0)


def test_distance_of_grids_of_other_spacing_grows_with_their_extent():
    wider = BARE @ np.diag([1.1, 1, 1, 1])
    assert corner_distance_px(BARE, wider, SHAPE) == pytest.approx(0.1 * (SHAPE[0] - 1))


def test_reversal_keeps_world_positions_and_undoes_itself():
    voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    reversed_voxels, affine = reverse_slices(voxels, oblique())
    np.testing.assert_allclose(affine @ [3, 4, 0, 1], oblique() @ [3, 4, SHAPE[2] - 1, 1])
    assert reversed_voxels[3, 4, 0] == voxels[3, 4, -1]
    again, back = reverse_slices(reversed_voxels, affine)
    np.testing.assert_array_equal(again, voxels)
    np.testing.assert_allclose(back, oblique(), atol=1e-12)
