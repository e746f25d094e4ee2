"""Base and apex by the header alone."""

import pytest
from raw_cohorts import BARE, oblique

from cmrslices.cohorts.unlabelled.direction import header_direction


@pytest.mark.parametrize("base_first", [True, False])
def test_an_oblique_header_decides(base_first):
    direction = header_direction(oblique(base_first))
    assert (direction.flipped, direction.source, direction.note) == (not base_first, "header", "")


def test_a_bare_header_decides_nothing():
    direction = header_direction(BARE)
    assert (direction.flipped, direction.source, direction.note) == (False, "stored", "direction-undecided")
