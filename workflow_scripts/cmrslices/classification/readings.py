"""How a router reads the classifiers: slice by slice or the whole stack, the selected network or the mean of all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cmrslices.classification.calibration import ALL, calibrated_logs, read_temperature
from cmrslices.classification.probabilities import (
    classified_regions,
    read_probabilities,
    selected_network,
    selected_probabilities,
)
from cmrslices.classification.stack_reading import by_stack, mean_probabilities, stack_marginals, stack_regions
from cmrslices.cohorts.regions import RegionRule
from cmrslices.labels import SLICE_CLASSES

WEIGHT_DECIMALS = 9


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


def calibrated_evidence(
    networks: str, selected: str | Path | None, probabilities: Mapping[str, str | Path], calibration: str | Path
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the slices of one cohort and the logs of their calibrated probabilities.

    Parameters
    ----------
    networks, selected, probabilities
        As in `chosen_probabilities`.
    calibration : path
        ``classifiers/calibration.yaml``.

    Returns
    -------
    slices : DataFrame
        As `chosen_probabilities` gives it, not calibrated.
    evidence : (slices, classes) array
        log p/T, of probabilities that sum to 1.
    """
    table = chosen_probabilities(networks, selected, probabilities)
    name = ALL if networks == "all" else selected_network(str(selected))
    return table, calibrated_logs(table[list(SLICE_CLASSES)].to_numpy(), read_temperature(calibration, name))


def marginals_by_stack(slices: pd.DataFrame, evidence: np.ndarray, rule: RegionRule) -> np.ndarray:
    """Return the `stack_marginals` of every stack of a cohort, in the order of the rows of `slices`."""
    return by_stack(slices, evidence, lambda stack: stack_marginals(stack, rule))


def write_classifier_reading(
    reading: str,
    chosen: str,
    selected: str | Path | None,
    networks: Sequence[str],
    probabilities: Sequence[str | Path],
    calibration: str | Path,
    rule: RegionRule,
    regions: str | Path,
) -> None:
    """Write the region of every slice of one cohort, and the weights of all regions.

    Parameters
    ----------
    reading : str
        As in `regions_by_reading`. The weights are the calibrated probabilities of each slice for ``slice``, and the
        marginals of its stack for ``stack``.
    chosen : str
        ``selected`` or ``all``, see `chosen_probabilities`.
    selected : path or None
        ``classifiers/selected.yaml``.
    networks : list of str
    probabilities : list of path
        The probabilities of this cohort, in the order of `networks`.
    calibration : path
        ``classifiers/calibration.yaml``.
    rule : RegionRule
        The configuration's `regions`.
    regions : path
        To write, see `write_reading`.

    Raises
    ------
    InputError
        The networks did not classify the same slices.
    """
    files = dict(zip(networks, probabilities, strict=True))
    table, evidence = calibrated_evidence(chosen, selected, files, calibration)
    weights = marginals_by_stack(table, evidence, rule) if reading == "stack" else np.exp(evidence)
    write_reading(regions_by_reading(reading, table, rule), weights, regions)


def write_reading(regions: pd.DataFrame, weights: np.ndarray, file: str | Path) -> None:
    """Write what a router reads.

    Parameters
    ----------
    regions : DataFrame
        ``case``, ``slice`` and ``region``.
    weights : (slices, classes) array
        How probable each class is; classes in the order of `SLICE_CLASSES`.
    file : path
        Written: ``case``, ``slice``, ``region`` and a column per entry of `SLICE_CLASSES`, which sum to 1.
    """
    columns = dict(zip(SLICE_CLASSES, weights.T, strict=True))
    regions.assign(**columns).to_csv(file, index=False, float_format=f"%.{WEIGHT_DECIMALS}f")


def read_reading(file: str | Path) -> pd.DataFrame:
    """Read what `write_reading` wrote."""
    return pd.read_csv(file, dtype={"case": str, "slice": int, "region": str}, keep_default_na=False)
