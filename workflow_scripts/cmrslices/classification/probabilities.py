"""From a classifier's probabilities of the regions to one region per slice.

`cmrslices.classification.inference` writes the probabilities, for every network and cohort.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml

from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError


def read_probabilities(file: str | Path) -> pd.DataFrame:
    """Read what one network gave for the slices of one cohort.

    Parameters
    ----------
    file : path
        ``classifiers/<network>/<cohort>.csv``.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`.
    """
    return pd.read_csv(file, dtype={"case": str})


def of_slices(table: pd.DataFrame, slices: pd.DataFrame, name: str, lack: str, remedy: str) -> pd.DataFrame:
    """Return what a table says of each of some slices, in their order.

    Parameters
    ----------
    table : DataFrame
        ``case``, ``slice`` and further columns; it may have more slices.
    slices : DataFrame
        ``case`` and ``slice``.
    name, lack, remedy : str
        For the error: of the table, what slices that are not in it have, and what to do.

    Raises
    ------
    InputError
        A slice is not in the table, or a value is missing there.
    """
    key = ["case", "slice"]
    rows = slices[key].merge(table, on=key, how="left", validate="one_to_one")
    missing = rows.loc[rows.drop(columns=key).isna().any(axis="columns"), "case"]
    if len(missing):
        raise InputError(f"{name}: {len(missing)} slices have {lack}, the first of {missing.iloc[0]}; {remedy}")
    return rows


def classified_regions(probabilities: pd.DataFrame) -> pd.DataFrame:
    """Return the most probable region of every slice.

    Parameters
    ----------
    probabilities : DataFrame
        As `read_probabilities` gives them.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``, in the order of the rows.
    """
    regions = probabilities[list(SLICE_CLASSES)].idxmax(axis="columns")
    return probabilities[["case", "slice"]].assign(region=regions)


def selected_probabilities(selected: str | Path, probabilities: Mapping[str, str | Path]) -> pd.DataFrame:
    """Read the probabilities of one cohort's slices by the selected network; arguments as in `selected_regions`."""
    return read_probabilities(probabilities[selected_network(selected)])


def selected_network(selected: str | Path) -> str:
    """Read the name of the selected network from ``classifiers/selected.yaml``."""
    return yaml.safe_load(Path(selected).read_text())["network"]


def selected_regions(selected: str | Path, probabilities: Mapping[str, str | Path]) -> pd.DataFrame:
    """Return the region of every slice of one cohort by the selected network.

    Parameters
    ----------
    selected : path
        ``classifiers/selected.yaml``, which names the network.
    probabilities : dict of str to path
        Network to the file of its probabilities of this cohort.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``.
    """
    return classified_regions(selected_probabilities(selected, probabilities))


def write_selected_regions(
    selected: str | Path, networks: Sequence[str], probabilities: Sequence[str | Path], regions: str | Path
) -> None:
    """Write the region of every slice of one cohort by the selected network.

    Parameters
    ----------
    selected : path
        ``classifiers/selected.yaml``.
    networks : list of str
    probabilities : list of path
        The probabilities of this cohort, in the order of `networks`.
    regions : path
        Written: ``case``, ``slice`` and ``region``.
    """
    found = selected_regions(selected, dict(zip(networks, probabilities, strict=True)))
    found.to_csv(regions, index=False)
