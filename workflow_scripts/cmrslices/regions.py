"""Slice regions from the reference labels (paper, section 3: 20/60/20 of the labelled slices)."""

import functools
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cmrslices.labels import LABELS, NON_CARDIAC, REGIONS
from cmrslices.parallel import map_progress


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


def case_slices(path: Path, base: float, apex: float) -> pd.DataFrame:
    """Region, position and labelled areas of each slice of one case.

    Parameters
    ----------
    path : Path
        Label file, slice 0 at the base.
    base, apex : float
        As in `slice_regions`.

    Returns
    -------
    DataFrame
        Columns slice, region, position, LVBP_mm2, LVM_mm2, RVBP_mm2.
    """
    file = nib.load(path)
    label = np.asanyarray(file.dataobj)
    pixel_mm2 = float(np.prod(file.header.get_zooms()[:2], dtype=float))
    regions, positions = slice_regions(label.any(axis=(0, 1)), base, apex)
    table = pd.DataFrame({"slice": np.arange(len(regions)), "region": regions, "position": positions.round(6)})
    for name, value in LABELS.items():
        table[f"{name}_mm2"] = ((label == value).sum(axis=(0, 1)) * pixel_mm2).round(3)
    return table


def assign_regions(cases: str, labels: str, slices: str, base: float, apex: float, threads: int) -> None:
    """Write the slices of every converted case, read one case at a time.

    Parameters
    ----------
    cases : path
        The cohort's cases.csv.
    labels : path
        Folder of its label files.
    slices : path
        The table to write: case, patient, phase and the columns of `case_slices`.
    base, apex : float
        As in `slice_regions`.
    threads : int
        Cases read at once.
    """
    converted = pd.read_csv(cases, dtype={"patient": str}).query("not excluded").sort_values("case")
    paths = [Path(labels) / f"{case}.nii.gz" for case in converted["case"]]
    tables = map_progress(functools.partial(case_slices, base=base, apex=apex), paths, threads, unit="case")
    table = pd.concat(dict(zip(converted["case"], tables, strict=True)), names=["case"]).reset_index("case")
    table = converted[["case", "patient", "phase"]].merge(table, on="case")
    table.to_csv(slices, index=False)
    print(table["region"].value_counts().to_string())
