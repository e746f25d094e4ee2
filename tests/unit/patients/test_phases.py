"""ED and ES of a cine: the frames with the largest and the smallest LV cavity in the middle slices."""

import numpy as np
import pytest

from cmrslices.cohorts.regions import RegionRule
from cmrslices.patients.phases import fill_missed, find_phases, middle_slices, smooth_cycle

CURVE_ML = np.array([100, 95, 80, 60, 45, 40, 48, 60, 70, 76, 80, 92], dtype=float)


def stack(curve_ml, slices=10):
    """Volumes (frames, slices): the curve in each of the middle slices, half of it in the outer two."""
    share = np.ones(slices)
    share[[0, -1]] = 0.5
    return np.asarray(curve_ml, dtype=float)[:, None] * share


def frames(found):
    return found.ed.frame, found.es.frame


# Where ED and ES are


@pytest.mark.parametrize("shift", range(len(CURVE_ML)))
def test_a_cycle_may_begin_at_any_frame(shift):
    found = find_phases(stack(np.roll(CURVE_ML, shift)))
    assert frames(found) == (shift % 12, (5 + shift) % 12)


def test_a_single_wrong_frame_is_smoothed_away():
    noisy = CURVE_ML.copy()
    noisy[8] = 37  # the smallest of all, between 60 and 76
    assert frames(find_phases(stack(noisy))) == (0, 5)


@pytest.mark.parametrize("seed", range(20))
def test_with_5_percent_of_noise_in_every_slice_the_frames_are_found_within_one(seed):
    noise = np.random.default_rng(seed).normal(1, 0.05, (12, 10))
    ed, es = frames(find_phases(stack(CURVE_ML) * noise))
    assert min(ed, 12 - ed) <= 1
    assert abs(es - 5) <= 1


def test_what_the_outer_slices_hold_does_not_count():
    volumes = stack(CURVE_ML)
    volumes[7, :2] = 5000  # base
    volumes[2, -2:] = 0  # apex
    assert frames(find_phases(volumes)) == (0, 5)


def test_of_equal_frames_the_earliest_counts():
    # The plateau of ED reaches over the end of the cycle: frames 10, 11, 0 and 1.
    found = find_phases(stack([100, 100, 80, 60, 40, 40, 40, 60, 80, 95, 100, 100]))
    assert frames(found) == (0, 5)


def test_of_frames_that_are_equal_after_smoothing_the_more_extreme_one_counts():
    found = find_phases(stack([100, 60, 40, 36, 40, 60, 60, 40, 36, 40, 60, 100]))
    assert found.es.frame == 3
    assert found.es.next_frame == 8
    assert found.es.lead_ml == pytest.approx(0)


def test_fewer_than_five_frames_are_not_smoothed():
    assert frames(find_phases(stack([50, 90, 40, 60]))) == (1, 2)


def test_a_fast_fall_after_ed_does_not_move_it_to_the_frame_before():
    curve_ml = [100, 60, 50, 45, 40, 45, 55, 65, 75, 85, 95, 99]
    assert smooth_cycle(np.array(curve_ml, dtype=float)).argmax() == 11
    assert find_phases(stack(curve_ml)).ed.frame == 0


def test_a_middle_slice_that_is_missed_does_not_make_a_frame_es():
    volumes = stack(CURVE_ML)
    volumes[8, 3:6] = 0
    assert frames(find_phases(volumes)) == (0, 5)


def test_what_is_missed_is_filled_over_the_end_of_the_cycle_and_what_is_never_found_stays_empty():
    volumes = np.array([[0.0, 0, 1], [8, 0, 2], [6, 0, 3], [4, 0, 4]])
    assert fill_missed(volumes).tolist() == [[6, 0, 1], [8, 0, 2], [6, 0, 3], [4, 0, 4]]


# How sure


def test_the_second_best_frame_is_not_beside_the_best_one():
    found = find_phases(CURVE_ML[:, None])
    smoothed = smooth_cycle(CURVE_ML)
    assert found.ed.next_frame == 10  # 1 and 11 are its neighbours; frame 10 holds 82 ml, frame 2 holds 78.75
    assert found.ed.lead_ml == pytest.approx(smoothed[0] - smoothed[10])


def test_of_three_frames_none_is_second_best():
    found = find_phases(stack([90, 40, 60]))
    assert (found.ed.next_frame, found.es.next_frame) == (None, None)
    assert np.isnan(found.ed.lead_ml)


# What cannot be told


def test_an_empty_frame_is_neither_ed_nor_es():
    volumes = stack(CURVE_ML)
    volumes[8] = 0
    found = find_phases(volumes)
    assert frames(found) == (0, 5)
    assert np.isnan(found.searched_ml[8]) and np.isnan(found.smoothed_ml[8])
    assert found.note == "no LVBP in the middle slices of 1 of 12 frames"


def test_an_empty_frame_beside_ed_does_not_move_it():
    volumes = stack(CURVE_ML)
    volumes[11] = 0
    assert frames(find_phases(volumes)) == (0, 5)


def test_without_any_lv_there_is_no_phase():
    found = find_phases(np.zeros((12, 10)))
    assert (found.ed, found.es) == (None, None)
    assert found.note == "no frame has LVBP in the middle slices"


def test_of_one_frame_no_phase_can_be_told():
    found = find_phases(stack([80]))
    assert (found.ed, found.es) == (None, None)
    assert found.note == "one frame only has LVBP in the middle slices"


def test_a_heart_that_does_not_change_has_no_phase():
    found = find_phases(stack([80] * 12))
    assert (found.ed, found.es) == (None, None)
    assert found.note == "the LVBP does not change"


# Middle slices


def test_a_slice_that_rarely_holds_the_lv_is_none_of_the_heart():
    volumes = np.ones((10, 8))
    volumes[:6, 0] = 0  # found in 4 of 10 frames
    volumes[:5, 7] = 0  # found in 5 of 10
    assert middle_slices(volumes).tolist() == [False, False, True, True, True, True, True, False]


def test_a_frame_without_the_lv_says_nothing_about_the_slices():
    volumes = np.ones((4, 6))
    volumes[1:] = 0
    assert middle_slices(volumes).tolist() == [False, True, True, True, True, False]


def test_the_configured_shares_decide_what_is_middle():
    assert middle_slices(np.ones((4, 6)), RegionRule(base=0.4, apex=0.0)).tolist() == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]


def test_a_heart_without_a_middle_is_searched_whole():
    assert middle_slices(np.ones((4, 2)), RegionRule(rule="ends")).tolist() == [True, True]


def test_lv_that_is_in_another_slice_in_each_frame_is_searched_where_it_is():
    assert middle_slices(np.eye(4)).tolist() == [False, True, True, False]
