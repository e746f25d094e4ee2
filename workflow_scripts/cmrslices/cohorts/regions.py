"""Slice regions from the reference labels (paper, section 3: 20/60/20 of the labelled slices)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cmrslices.cohorts.tables import AREAS, read_cases, write_slices
from cmrslices.labels import LABELS, NON_CARDIAC, REGIONS
from cmrslices.runtime.nifti import read_volume
from cmrslices.runtime.parallel import map_progress


class RegionRule(NamedTuple):
    """Which labelled slices of a case are base and apex: the configuration's section `regions`.

    Attributes
    ----------
    base, apex : float
        Share of the labelled slices at either end.
    rule : str
        Where a slice lies among the N labelled ones, numbered k = 0 ... N-1 from an end of the heart. ``centres``: at
        (k + 1/2)/N, its centre if the slices fill the heart without gaps. ``ends``: at k/(N-1), so that the first
        and the last slice are the ends of the heart; a single slice lies at 0. The two name other regions for N = 1,
        2, 7, 12, 17, ... if the shares are 20 %.
    """

    base: float = 0.2
    apex: float = 0.2
    rule: str = "centres"

    def distances(self, count: int) -> np.ndarray:
        """Distance of each of `count` labelled slices from the end at which the numbering begins, from 0 to 1."""
        k = np.arange(count)
        return k / max(count - 1, 1) if self.rule == "ends" else (k + 0.5) / count


PAPER = RegionRule()
"""20/60/20 (paper, section 3)."""


def slice_regions(labelled: np.ndarray, rule: RegionRule = PAPER) -> tuple[np.ndarray, np.ndarray]:
    """Region and position of each slice of a case (paper, section 3, Datasets).

    A labelled slice is base if its distance from the basal end is less than the rule's share `base`. It is apex if its
    distance from the apical end is less than the share `apex`. All other labelled slices are middle.

    Parameters
    ----------
    labelled : (slices,) array of bool
        Whether a slice carries any label; slice 0 at the base.
    rule : RegionRule

    Returns
    -------
    regions : (slices,) array of str
        base, middle, apex or non-cardiac.
    positions : (slices,) array of float
        k/(N-1), from 0 at the base to 1 at the apex; 1/2 if N is 1; NaN for a non-cardiac slice.

    Examples
    --------
    Six labelled slices between two without a label; the ends have 20 % each:

    >>> regions, positions = slice_regions(np.array([0, 1, 1, 1, 1, 1, 1, 0], dtype=bool))
    >>> print(*regions)
    non-cardiac base middle middle middle middle apex non-cardiac
    >>> print(positions)
    [nan 0.  0.2 0.4 0.6 0.8 1.  nan]

    A share counts the centres of slices: of eight slices, the second has its centre at 1.5/8 < 20 %, so two are base.

    >>> print(*slice_regions(np.ones(8, dtype=bool))[0])
    base base middle middle middle middle apex apex

    Of seven slices, the second has its centre at 1.5/7, but lies at 1/6 if the outer slices are the ends of the heart:

    >>> print(*slice_regions(np.ones(7, dtype=bool))[0])
    base middle middle middle middle middle apex
    >>> print(*slice_regions(np.ones(7, dtype=bool), RegionRule(rule="ends"))[0])
    base base middle middle middle apex apex
    """
    labelled = np.asarray(labelled, dtype=bool)
    count = labelled.sum()
    k = np.arange(count)
    distances = rule.distances(count)
    is_base, is_apex = distances < rule.base, distances[::-1] < rule.apex
    regions = np.full(labelled.shape, NON_CARDIAC, dtype=object)
    regions[labelled] = np.select([is_base, is_apex], [REGIONS[0], REGIONS[2]], REGIONS[1])
    positions = np.full(labelled.shape, np.nan)
    positions[labelled] = k / (count - 1) if count > 1 else 0.5
    return regions, positions


def labelled_areas(path: str | Path) -> np.ndarray:
    """Area of each label in each slice of one case, in mm².

    Parameters
    ----------
    path : path
        Label file, slice 0 at the base.

    Returns
    -------
    (slices, labels) array of float
        Labels in the order of `LABELS`.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    volume = read_volume(path)
    pixels = [[np.count_nonzero(mask) for mask in volume.voxels == value] for value in LABELS.values()]
    return np.transpose(pixels) * float(np.prod(volume.spacing_mm[:2]))


def assign_regions(cases: str, labels: str, slices: str, rule: RegionRule, threads: int) -> None:
    """Write the slices of every converted case, read one case at a time.

    Parameters
    ----------
    cases : path
        The cohort's cases.csv.
    labels : path
        Folder of its label files.
    slices : path
        The table to write, see `cmrslices.cohorts.tables.SLICES`.
    rule : RegionRule
    threads : int
        Cases read at once.

    Raises
    ------
    InputError
        A label file cannot be read.
    """
    converted = read_cases(cases).query("not excluded").sort_values("case")
    paths = [Path(labels) / f"{case}.nii.gz" for case in converted["case"]]
    areas_mm2 = list(map_progress(labelled_areas, paths, threads, unit="case"))
    counts = [len(areas) for areas in areas_mm2]
    regions, positions = zip(*(slice_regions(np.any(areas, axis=1), rule) for areas in areas_mm2), strict=True)
    table = converted[["case", "patient", "phase"]].loc[converted.index.repeat(counts)].reset_index(drop=True)
    table["slice"] = np.concatenate([np.arange(count) for count in counts])
    table["region"] = np.concatenate(regions)
    table["position"] = np.concatenate(positions)
    table[list(AREAS)] = np.concatenate(areas_mm2)
    write_slices(table, slices)
    print(table["region"].value_counts().to_string())
