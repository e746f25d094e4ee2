"""The table of readings: how many slices get the right region, by each way to read classifiers, extents and heads."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.classification.metrics import read_reference
from cmrslices.classification.probabilities import of_slices, read_probabilities
from cmrslices.classification.readings import chosen_probabilities, read_reading, regions_by_reading
from cmrslices.cohorts.regions import RegionRule, slice_regions
from cmrslices.labels import NON_CARDIAC
from cmrslices.presentation import tables
from cmrslices.presentation.writing import Files, write_table

READINGS = {
    ("slice", "selected"): "selected network, slice by slice (the paper)",
    ("stack", "selected"): "selected network, whole stack",
    ("slice", "all"): "mean of all networks, slice by slice",
    ("stack", "all"): "mean of all networks, whole stack",
}
"""The configuration's `reading` and `networks` to the name of the row."""
NO_IMAGE = ("index", "none")
"""What stands in the columns reading and networks where no image is looked at."""
TITLES = {**READINGS, NO_IMAGE: "no image: every slice is cardiac, regions by index"}
EXTENT = "extent of {model}"
"""What stands in the column reading for the slices in which a model finds a label."""
WEIGHED = {"none": "", "selected": ", and selected network", "all": ", and mean of all networks"}
"""The networks whose probabilities count beside an extent, to the end of the row's name."""
HEAD = "head of {model}"
"""What stands in the column networks for the head of a joint model."""
HEAD_TITLES = {"slice": "{head}, slice by slice", "stack": "{head}, whole stack"}
"""The reading of a head to the name of the row."""
REGION_COLUMNS = ["case", "slice", "region"]
GROUPS = ["all", "labelled", NON_CARDIAC]
"""Slices that are counted: all of them, those that carry a label, and those beyond the ends of the heart."""
WARNING = (
    "The last row of a cohort looks at no image. Where nearly every slice carries a label, as in ACDC, it is right "
    "about nearly every slice: such a cohort cannot judge a region classifier. Cohorts with slices beyond both "
    "ends of the heart can."
)


def write_readings(
    selected: str | Path,
    probabilities: Sequence[str | Path],
    networks: Sequence[str],
    slices: Sequence[str | Path],
    splits: Sequence[str | Path],
    extents: Sequence[str | Path],
    models: Sequence[str],
    cohorts: Mapping[str, str],
    rule: RegionRule,
    table: Files,
    heads: Sequence[str] = (),
    head_probabilities: Sequence[str | Path] = (),
) -> None:
    """Write the share of test slices with the right region, by cohort and reading.

    Parameters
    ----------
    selected : path
        ``classifiers/selected.yaml``.
    probabilities : list of path
        Of each cohort, the files of all networks in the order of `networks`.
    networks : list of str
    slices, splits : list of path
        ``slices.csv`` and ``splits.csv`` of each cohort, in the order of `cohorts`.
    extents : list of path
        Of each cohort, for each of `models` the regions by its extent: alone, with the selected network, and with the
        mean of all.
    models : list of str
        Models whose extent an approach reads.
    cohorts : dict of name to title
    rule : RegionRule
        The configuration's `regions`.
    table : Files
        To write.
    heads : list of str
        Joint models whose head an approach reads.
    head_probabilities : list of path
        Of each cohort, the files of all heads in the order of `heads`.

    Raises
    ------
    InputError
        A cohort has no test case, or a slice of a test case has no probabilities.
    """
    parts = []
    files = np.reshape(np.array(probabilities, dtype=object), (len(cohorts), len(networks)))
    extent_ways = [(EXTENT.format(model=model), chosen) for model in models for chosen in WEIGHED]
    extent_files = np.reshape(np.array(extents, dtype=object), (len(cohorts), len(extent_ways)))
    head_files = np.reshape(np.array(head_probabilities, dtype=object), (len(cohorts), len(heads)))
    by_cohort = zip(cohorts, files, extent_files, head_files, slices, splits, strict=True)
    for cohort, of_cohort, of_extents, of_heads, slices_file, splits_file in by_cohort:
        reference = read_reference(slices_file, splits_file, "test")
        of_network = dict(zip(networks, of_cohort, strict=True))
        named = {
            (reading, chosen): regions_by_reading(reading, chosen_probabilities(chosen, selected, of_network), rule)
            for reading, chosen in READINGS
        }
        named |= {way: read_reading(file)[REGION_COLUMNS] for way, file in zip(extent_ways, of_extents, strict=True)}
        named |= {
            (reading, HEAD.format(model=model)): regions_by_reading(reading, read_probabilities(file), rule)
            for model, file in zip(heads, of_heads, strict=True)
            for reading in HEAD_TITLES
        }
        named[NO_IMAGE] = regions_by_index(reference, rule)
        parts += [
            shares_right(reference, regions).assign(cohort=cohort, reading=way[0], networks=way[1])
            for way, regions in named.items()
        ]
    numbers = pd.concat(parts, ignore_index=True)[["cohort", "reading", "networks", "group", "slices", "right_percent"]]
    caption = f"Slices of the test cases whose region is right, in %. {WARNING}"
    write_table(table, numbers, "Readings", caption, layout(numbers, cohorts))


def shares_right(reference: pd.DataFrame, regions: pd.DataFrame) -> pd.DataFrame:
    """Count the slices that have their reference region.

    Parameters
    ----------
    reference, regions : DataFrame
        ``case``, ``slice`` and ``region``; `regions` may have more slices.

    Returns
    -------
    DataFrame
        ``group`` (`GROUPS`), ``slices`` and ``right_percent``, which is NaN for a group without slices.

    Raises
    ------
    InputError
        A slice of `reference` is not in `regions`.
    """
    named = of_slices(regions, reference, "regions", "none", "classify again")["region"].to_numpy()
    right, outside = reference["region"] == named, reference["region"] == NON_CARDIAC
    groups = [right, right[~outside], right[outside]]
    percent = [100 * part.mean() if len(part) else np.nan for part in groups]
    return pd.DataFrame({"group": GROUPS, "slices": [len(part) for part in groups], "right_percent": percent})


def regions_by_index(slices: pd.DataFrame, rule: RegionRule) -> pd.DataFrame:
    """Return the regions that slices would have if every slice of a stack carried a label.

    Parameters
    ----------
    slices : DataFrame
        ``case`` and ``slice`` of whole stacks.
    rule : RegionRule
        As in `cmrslices.cohorts.regions.slice_regions`.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``.
    """
    ordered = slices[["case", "slice"]].sort_values(["case", "slice"], ignore_index=True)
    counts = ordered.groupby("case").size()
    regions = [slice_regions(np.ones(count, dtype=bool), rule)[0] for count in counts]
    return ordered.assign(region=np.concatenate(regions))


def layout(numbers: pd.DataFrame, cohorts: Mapping[str, str]) -> pd.DataFrame:
    """Arrange the cells: a row per cohort and reading, a column per group of slices."""
    rows = []
    for (cohort, reading, networks), part in numbers.groupby(["cohort", "reading", "networks"], sort=False):
        counts = part.set_index("group")["slices"]
        percent = part.set_index("group")["right_percent"]
        cells = {f"right, {group} [%]": tables.number(percent[group], 1) for group in GROUPS}
        about = {"cohort": cohorts[cohort], "region by": way_title(reading, networks)}
        rows.append({**about, "slices": str(counts["all"]), "of them non-cardiac": str(counts[NON_CARDIAC]), **cells})
    return pd.DataFrame(rows)


def way_title(reading: str, networks: str) -> str:
    """Return the name of the row of a way to name regions, from the columns reading and networks."""
    if (reading, networks) in TITLES:
        return TITLES[reading, networks]
    if reading in HEAD_TITLES:
        return HEAD_TITLES[reading].format(head=networks)
    return f"{reading}{WEIGHED[networks]}"
