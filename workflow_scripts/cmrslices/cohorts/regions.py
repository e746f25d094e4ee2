"""Slice regions from the reference labels (paper, section 3: 20/60/20 of the labelled slices)."""

from pathlib import Path

import numpy as np

from cmrslices.cohorts.tables import AREAS, read_cases, write_slices
from cmrslices.labels import LABELS, NON_CARDIAC, REGIONS
from cmrslices.runtime.nifti import read_volume
from cmrslices.runtime.parallel import map_progress


def slice_regions(labelled: np.ndarray, base: float = 0.2, apex: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Region and position of each slice of a case (paper, section 3, Datasets).

    The N labelled slices are numbered k = 0 ... N-1 from the base. Slice k is base if (k + 1/2)/N < base. It is apex if
    the same holds for the share `apex` when slices are numbered from the apex. All other labelled slices are middle.

    Parameters
    ----------
    labelled : (slices,) array of bool
        Whether a slice carries any label; slice 0 at the base.
    base, apex : float
        Share of the labelled slices at either end.

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
    """
    labelled = np.asarray(labelled, dtype=bool)
    count = labelled.sum()
    k = np.arange(count)
    is_base, is_apex = (k + 0.5) / count < base, (count - 1 - k + 0.5) / count < apex
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


def assign_regions(cases: str, labels: str, slices: str, base: float, apex: float, threads: int) -> None:
    """Write the slices of every converted case, read one case at a time.

    Parameters
    ----------
    cases : path
        The cohort's cases.csv.
    labels : path
        Folder of its label files.
    slices : path
        The table to write, see `cmrslices.cohorts.tables.SLICES`.
    base, apex : float
        As in `slice_regions`.
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
    regions, positions = zip(*(slice_regions(np.any(areas, axis=1), base, apex) for areas in areas_mm2), strict=True)
    table = converted[["case", "patient", "phase"]].loc[converted.index.repeat(counts)].reset_index(drop=True)
    table["slice"] = np.concatenate([np.arange(count) for count in counts])
    table["region"] = np.concatenate(regions)
    table["position"] = np.concatenate(positions)
    table[list(AREAS)] = np.concatenate(areas_mm2)
    write_slices(table, slices)
    print(table["region"].value_counts().to_string())
