"""Which end of a stack is the base: what the header says, checked against the labels."""

from dataclasses import dataclass

import numpy as np

from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError

APEX_TO_BASE_RAS = np.array([1.0, -1.0, 1.0]) / np.sqrt(3)
"""The base lies right, posterior and superior of the apex."""

AXIAL = 0.9999
"""Cosine to a scanner axis above which a header is a bare diagonal, which says nothing of the heart."""

DECIDED = 0.2
"""Smallest vote that counts, of -1 to 1."""


@dataclass(frozen=True)
class Direction:
    """How a patient's stacks run.

    Attributes
    ----------
    flipped : bool
        They are stored apex first.
    source : str
        header or labels.
    note : str
        ``direction-disagrees`` (the labels contradict the header, which wins), ``direction-undecided``
        (neither says anything: the stored order is kept) or empty.
    """

    flipped: bool
    source: str
    note: str = ""


def header_vote(affine: np.ndarray) -> float:
    """Cosine between slice order and base-to-apex: 1 is base first, -1 apex first, 0 says nothing."""
    normal = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    return 0.0 if np.abs(normal).max() > AXIAL else float(-normal @ APEX_TO_BASE_RAS)


def label_vote(label: np.ndarray) -> float:
    """How the labelled areas run: 1 is base first, -1 apex first, 0 says nothing.

    The mean of two correlations with the slice index, that of the RVBP's area and that of the whole
    labelled area, both of which shrink towards the apex. The LV's area alone misjudges hearts whose
    cavity widens there.

    Parameters
    ----------
    label : (x, y, z) array of int
        In this project's label order.
    """
    rv_area = (label == LABELS["RVBP"]).sum(axis=(0, 1))
    heart_area = (label > 0).sum(axis=(0, 1))
    labelled = heart_area > 0
    return float(np.mean([_decrease(area[labelled]) for area in (rv_area, heart_area)]))


def _decrease(area: np.ndarray) -> float:
    return 0.0 if np.ptp(area) == 0 else -np.corrcoef(np.arange(len(area)), area)[0, 1]


def decide_direction(affines: list[np.ndarray], labels: list[np.ndarray]) -> Direction:
    """Direction of all stacks of one patient: the header's where it has one, else the labels'.

    Parameters
    ----------
    affines : list of (4, 4) array
    labels : list of (x, y, z) array
        One each per phase; their votes are averaged.

    Raises
    ------
    InputError
        The headers of the phases run opposite ways.
    """
    headers = [header_vote(affine) for affine in affines]
    if min(headers) < -DECIDED and max(headers) > DECIDED:
        raise InputError("the headers of ED and ES run in opposite directions; store both the same way")
    header, content = np.mean(headers), np.mean([label_vote(label) for label in labels])
    if abs(header) > DECIDED:
        disagrees = abs(content) > DECIDED and header * content < 0
        return Direction(bool(header < 0), "header", "direction-disagrees" if disagrees else "")
    if abs(content) > DECIDED:
        return Direction(bool(content < 0), "labels")
    return Direction(False, "labels", "direction-undecided")
