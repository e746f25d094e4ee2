"""How a router reads the classifiers: slice by slice or the whole stack, the selected network or the mean of all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cmrslices.classification.probabilities import classified_regions, read_probabilities, selected_probabilities
from cmrslices.classification.stack_reading import mean_probabilities, stack_regions
from cmrslices.cohorts.regions import RegionRule


def chosen_probabilities(
    networks: str, selected: str | Path | None, probabilities: Mapping[str, str | Path]
) -> pd.DataFrame:
    """Return the probabilities of one cohort's slices that a router reads.

    Parameters
    ----------
    networks : str
        ``selected``: those of the selected network. ``all``: the mean over the networks.
    selected : path or None
        ``classifiers/selected.yaml``, which names the network; read for ``selected`` only.
    probabilities : dict of str to path
        Network to the file of its probabilities of this cohort.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and a column per entry of `cmrslices.labels.SLICE_CLASSES`.

    Raises
    ------
    InputError
        The networks did not classify the same slices.
    """
    if networks == "selected":
        return selected_probabilities(str(selected), probabilities)
    return mean_probabilities([read_probabilities(path) for path in probabilities.values()])


def regions_by_reading(reading: str, probabilities: pd.DataFrame, rule: RegionRule) -> pd.DataFrame:
    """Return the region of every slice of one cohort.

    Parameters
    ----------
    reading : str
        ``slice``: the most probable region of each slice, which is the paper's way. ``stack``: see
        `cmrslices.classification.stack_reading.read_stack`.
    probabilities : DataFrame
        As `chosen_probabilities` gives them.
    rule : RegionRule
        The configuration's `regions`; it matters for ``stack`` only.

    Returns
    -------
    DataFrame
        ``case``, ``slice`` and ``region``, in the order of the rows.
    """
    readers = {"slice": classified_regions, "stack": lambda table: stack_regions(table, rule)}
    return readers[reading](probabilities)


def write_regions_by_reading(
    reading: str,
    chosen: str,
    selected: str | Path | None,
    networks: Sequence[str],
    probabilities: Sequence[str | Path],
    rule: RegionRule,
    regions: str | Path,
) -> None:
    """Write the region of every slice of one cohort.

    Parameters
    ----------
    reading : str
        As in `regions_by_reading`.
    chosen : str
        ``selected`` or ``all``, see `chosen_probabilities`.
    selected : path or None
        ``classifiers/selected.yaml``.
    networks : list of str
    probabilities : list of path
        The probabilities of this cohort, in the order of `networks`.
    rule : RegionRule
        The configuration's `regions`.
    regions : path
        Written: ``case``, ``slice`` and ``region``.

    Raises
    ------
    InputError
        The networks did not classify the same slices.
    """
    files = dict(zip(networks, probabilities, strict=True))
    found = regions_by_reading(reading, chosen_probabilities(chosen, selected, files), rule)
    found.to_csv(regions, index=False)
