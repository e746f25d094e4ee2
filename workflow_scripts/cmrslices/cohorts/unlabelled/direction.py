"""Which end of a stack without labels is the base: only the header can say."""

import numpy as np

from cmrslices.cohorts.convert.orientation import DECIDED, Direction, header_vote

UNDECIDED = "direction-undecided"
"""The header says nothing about the heart, so that the slices keep the order in which they are stored."""


def header_direction(affine: np.ndarray) -> Direction:
    """Decide the order of the slices of a patient by the header alone.

    A header that is a bare diagonal, as all of ACDC's are, says nothing, and there are no labels to ask. Then the order
    is kept, and a note says so.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel index to RAS, mm.

    Examples
    --------
    >>> header_direction(np.diag([-1.5, -1.5, 8.0, 1.0]))
    Direction(flipped=False, source='stored', note='direction-undecided')
    """
    vote = header_vote(affine)
    if abs(vote) > DECIDED:
        return Direction(vote < 0, "header")
    return Direction(False, "stored", UNDECIDED)
