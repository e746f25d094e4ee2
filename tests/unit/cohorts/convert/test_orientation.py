"""Which end of a stack is the base."""

import numpy as np
import pytest
from raw_cohorts import BARE, LVBP, LVM, RVBP, heart, oblique

from cmrslices.cohorts.convert.orientation import Direction, decide_direction, header_vote, label_vote
from cmrslices.runtime.errors import InputError

APEX_FIRST = heart()[:, :, ::-1]


def widening_ventricle():
    """A heart whose LV widens towards the apex by what the RV loses, so that their area is constant."""
    x, y, z = np.indices((40, 20, 7))
    label = np.zeros(x.shape, dtype=np.uint8)
    label[x < 12 - 2 * z] = RVBP
    label[(x >= 16) & (x < 24 + 2 * z)] = LVM
    label[(x >= 18) & (x < 22 + 2 * z) & (y > 2) & (y < 17)] = LVBP
    return label


def test_an_oblique_header_tells_the_base():
    assert header_vote(oblique(base_first=True)) == pytest.approx(1)
    assert header_vote(oblique(base_first=False)) == pytest.approx(-1)


def test_a_bare_diagonal_header_says_nothing():
    assert header_vote(BARE) == 0
    assert header_vote(-BARE) == 0


def test_labels_tell_the_base():
    assert label_vote(heart()) > 0.8
    assert label_vote(APEX_FIRST) < -0.8


def test_a_left_ventricle_that_widens_to_the_apex_does_not_mislead():
    assert label_vote(widening_ventricle()) > 0.4


def test_labels_of_one_slice_say_nothing():
    assert label_vote(heart(empty_slices=(0, 1, 2, 4, 5, 6, 7))) == 0


def test_labels_decide_where_the_header_is_silent():
    assert decide_direction([BARE], [heart()]) == Direction(False, "labels")
    assert decide_direction([BARE], [APEX_FIRST]) == Direction(True, "labels")


def test_the_header_decides_where_it_speaks():
    assert decide_direction([oblique(False)], [APEX_FIRST]) == Direction(True, "header")


def test_a_disagreement_goes_to_the_header_and_is_noted():
    assert decide_direction([oblique(True)], [APEX_FIRST]) == Direction(False, "header", "direction-disagrees")


def test_where_nothing_speaks_the_stored_order_is_kept_and_noted():
    uniform = np.repeat(heart()[:, :, 3:4], 8, axis=2)
    assert decide_direction([BARE], [uniform]) == Direction(False, "labels", "direction-undecided")


def test_phases_are_pooled():
    uniform = np.repeat(heart()[:, :, 3:4], 8, axis=2)
    assert decide_direction([BARE, BARE], [uniform, APEX_FIRST]) == Direction(True, "labels")


def test_phases_whose_headers_oppose_each_other_are_refused():
    with pytest.raises(InputError, match="opposite directions"):
        decide_direction([oblique(True), oblique(False)], [heart(), APEX_FIRST])
