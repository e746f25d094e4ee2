"""Table of the boundaries: HD, HD95 and ASSD by cohort, label, region and approach, beside the DSC."""

from collections.abc import Mapping

import pandas as pd

from cmrslices.evaluation.boundaries import BOTH, FOUND, INVENTED, MISSED, read_boundaries
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.statistics import REGION_TITLES, WHOLE_HEART
from cmrslices.labels import REGIONS
from cmrslices.presentation import tables
from cmrslices.presentation.writing import Files, write_long_table

KEY = ["cohort", "label", "region", "approach"]
ABSENT_MM = 50.0
"""HD95 of a missed or invented label in the column that gives such slices a number."""
MEANS = {
    "DSC (%)": ("dsc_mean", "dsc_sd"),
    "HD (mm)": ("hd_mean_mm", "hd_sd_mm"),
    "HD95 (mm)": ("hd95_mean_mm", "hd95_sd_mm"),
    "ASSD (mm)": ("assd_mean_mm", "assd_sd_mm"),
}
"""Heading to the columns of the mean and of the SD."""
CAPTION = (
    "Mean (SD) over slices of the distances in mm between the contours of prediction and reference, in the plane of "
    "the slice, by the 2D definition of DeepMind's surface-distance 0.1: a contour has an element at every corner of "
    "four pixels that lie partly inside the label and partly outside, and each element counts with its length. "
    "HD (Hausdorff distance): the largest distance of an element from the other contour. "
    "HD95: for each contour, the distance that 95 % of its length does not exceed; the larger of the two. "
    "ASSD: the mean distance over the length of both contours together (surface-distance gives one mean for each). "
    "Only slices in which prediction and reference both have the label have a distance (both). In the other slices it "
    "is missed (only the reference has it) or invented (only the prediction has it). "
    f"HD95 with {ABSENT_MM:g} mm: the mean over all three kinds of slices, where a missed or invented label counts as "
    f"{ABSENT_MM:g} mm, so that an approach that finds less does not look better. "
    "DSC: over the slices whose reference has the label. Non-cardiac slices are left out; the table of false positives "
    "has them. Descriptive: no test."
)


def write_boundary_table(
    boundaries: list[str],
    scores: list[str],
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    table: Files,
) -> None:
    """Write the table of the boundaries.

    Parameters
    ----------
    boundaries, scores : list of path
        The distances and the scores of every approach and cohort.
    cohorts, approaches : dict of name to title
        In the order of the rows.
    table : Files
        To write.
    """
    slices = read_scores(scores, cohorts, approaches)
    summary = summarise_boundaries(read_boundaries(boundaries, cohorts, approaches), slices)
    caption = f"{CAPTION} {tables.test_data(slices, cohorts)}."
    cells = layout(summary, cohorts, approaches)
    write_long_table(table, summary, "Boundaries", caption, cells, label="tab:boundaries")


def summarise_boundaries(boundaries: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and SD of the distances and of the DSC, and the number of slices behind them.

    Parameters
    ----------
    boundaries : DataFrame
        As `read_boundaries` gives them.
    scores : DataFrame
        Of the same approaches and cohorts, as `read_scores` gives them.

    Returns
    -------
    DataFrame
        cohort, label, region (base, middle, apex, all), approach; both, missed, invented (numbers of slices); dsc_mean,
        dsc_sd (in %, over the slices whose reference carries the label); hd_mean_mm, hd_sd_mm, hd95_mean_mm,
        hd95_sd_mm, assd_mean_mm, assd_sd_mm (over the slices in which both carry the label); hd95_penalised_mean_mm
        (over all three kinds, where missed and invented count as `ABSENT_MM`). Non-cardiac slices are left out.

    Examples
    --------
    In two apical slices both carry the label, 2 and 4 mm apart at 95 %; in a third, the label is missed.

    >>> key = {"cohort": "acdc", "label": "LVM", "region": "apex", "approach": "baseline"}
    >>> distances = {"hd_mm": [3.0, 5.0, None], "hd95_mm": [2.0, 4.0, None], "assd_mm": [1.0, 2.0, None]}
    >>> boundaries = pd.DataFrame({"found": ["both", "both", "missed"], **distances}).assign(**key)
    >>> scores = pd.DataFrame({"dsc": [0.9, 0.6, 0.0]}).assign(**key)
    >>> apex = summarise_boundaries(boundaries, scores).query("region == 'apex'").iloc[0]
    >>> [int(apex[name]) for name in ("both", "missed", "invented")]
    [2, 1, 0]
    >>> [round(float(apex[name]), 2) for name in ("dsc_mean", "hd95_mean_mm", "hd95_penalised_mean_mm")]
    [50.0, 3.0, 18.67]
    """
    of_dsc = _groups(scores)["dsc"].agg(dsc_mean="mean", dsc_sd="std") * 100
    rows = boundaries.assign(
        **{name: boundaries["found"] == name for name in FOUND},
        hd95_penalised_mm=boundaries["hd95_mm"].where(boundaries["found"] == BOTH, ABSENT_MM),
    )
    groups = _groups(rows)
    numbers = groups[[BOTH, MISSED, INVENTED]].sum().astype(int)
    of_distances = groups.agg(
        **{
            f"{name}_{statistic}_mm": (f"{name}_mm", function)
            for name in ("hd", "hd95", "assd")
            for statistic, function in (("mean", "mean"), ("sd", "std"))
        },
        hd95_penalised_mean_mm=("hd95_penalised_mm", "mean"),
    )
    return pd.concat([numbers, of_dsc, of_distances], axis=1).reset_index()


def layout(summary: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]) -> pd.DataFrame:
    """Cells for readers: a row per cohort, label, region and approach; the approaches follow one another."""
    names = {
        "Dataset": tables.sparse(tables.titled(summary["cohort"], cohorts)),
        "Label": tables.sparse(summary["label"].astype(str)),
        "Region": tables.sparse(tables.titled(summary["region"], REGION_TITLES)),
        "Approach": tables.titled(summary["approach"], approaches),
    }
    numbers = {name.capitalize(): summary[name].map(str) for name in FOUND}
    means = {
        heading: [tables.mean_sd(*pair) for pair in zip(summary[mean], summary[sd], strict=True)]
        for heading, (mean, sd) in MEANS.items()
    }
    penalised = {f"HD95 with {ABSENT_MM:g} mm": summary["hd95_penalised_mean_mm"].map(tables.number)}
    return pd.DataFrame({**names, **numbers, **means, **penalised})


def _groups(rows: pd.DataFrame) -> pd.api.typing.DataFrameGroupBy:
    """Rows by cohort, label, region and approach, where the whole heart is a region, too."""
    heart = rows[rows["region"].isin(REGIONS)].astype({"region": str})
    regions = pd.concat([heart, heart.assign(region=WHOLE_HEART)], ignore_index=True)
    ordered = pd.Categorical(regions["region"], [*REGIONS, WHOLE_HEART])
    return regions.assign(region=ordered).groupby(KEY, observed=False)
