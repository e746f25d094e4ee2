"""Slice regions from the reference labels (paper, section 3: 20/60/20 of the labelled slices)."""

from pathlib import Path

import numpy as np

from cmrslices.cohorts.tables import AREAS, read_cases, write_slices
from cmrslices.labels import LABELS, NON_CARDIAC, REGIONS
from cmrslices.runtime.nifti import read_volume
from cmrslices.runtime.parallel import map_progress


def slice_regions(labelled: np.ndarray, base: float = 0.2, apex: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Region and position of each slice of a case.

    Of N labelled slices, number k from the base, 0 to N-1, is base if (k + 1/2)/N < base, apex if
    the same holds counted from the apex, else middle.

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
        k/(N-1), from 0 at the base to 1 at the apex; 1/2 where N is 1, NaN where non-cardiac.
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
    """Area of each label in each slice of one case.

    Parameters
    ----------
    path : path
        Label file, slice 0 at the base.

    Returns
    -------
    (slices, labels) array of float
        In mm², in the order of `LABELS`.
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
        The table to write: case, patient, phase, slice, region, position, and a column {label}_mm2 per label.
    base, apex : float
        As in `slice_regions`.
    threads : int
        Cases read at once.
    """
    converted = read_cases(cases).query("not excluded").sort_values("case")
    paths = [Path(labels) / f"{case}.nii.gz" for case in converted["case"]]
    areas_mm2 = list(map_progress(labelled_areas, paths, threads, unit="case"))
    counts = [len(areas) for areas in areas_mm2]
    regions, positions = zip(*(slice_regions(areas.any(axis=1), base, apex) for areas in areas_mm2), strict=True)
    table = converted[["case", "patient", "phase"]].loc[converted.index.repeat(counts)].reset_index(drop=True)
    table["slice"] = np.concatenate([np.arange(count) for count in counts])
    table["region"] = np.concatenate(regions)
    table["position"] = np.concatenate(positions)
    table[list(AREAS)] = np.concatenate(areas_mm2)
    write_slices(table, slices)
    print(table["region"].value_counts().to_string())
