"""Temperatures, so that the probabilities of the classifiers are as often right as they say.

A network's probabilities p become p^(1/T), scaled to sum to 1 (Guo et al., On Calibration of Modern Neural Networks,
2017). T is fitted on the validation split of the training cohort, never on test cases. It changes no slice's most
probable class.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.optimize import minimize_scalar

from cmrslices.classification.metrics import read_reference
from cmrslices.classification.probabilities import of_slices, read_probabilities
from cmrslices.classification.stack_reading import log_probabilities, mean_probabilities
from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError

ALL = "all"
"""Stands for the mean of all networks' probabilities."""
TEMPERATURES = (0.05, 20.0)
"""Between these a temperature is looked for. A network that is always right would have none above 0."""
TEMPERATURE_DECIMALS, LOSS_DECIMALS = 4, 6
"""Decimals that are written: few enough to be the same on every processor."""


def calibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return p^(1/T), each row scaled to sum to 1.

    Parameters
    ----------
    probabilities : (slices, classes) array
        One below `cmrslices.classification.stack_reading.SMALLEST_PROBABILITY` counts as that.
    temperature : float
        Above 1, the result is less certain; below 1, it is more certain.

    Returns
    -------
    (slices, classes) array
    """
    return np.exp(calibrated_logs(probabilities, temperature))


def calibrated_logs(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the logs of what `calibrated` gives."""
    logs = log_probabilities(probabilities) / temperature
    highest = logs.max(axis=1, keepdims=True)
    return logs - highest - np.log(np.exp(logs - highest).sum(axis=1, keepdims=True))


def log_loss(probabilities: np.ndarray, classes: np.ndarray, temperature: float) -> float:
    """Return the mean negative log likelihood of the classes, after calibration.

    Parameters
    ----------
    probabilities : (slices, classes) array
    classes : (slices,) array of int
        The reference class of each slice, as index of `SLICE_CLASSES`.
    temperature : float
    """
    return float(-calibrated_logs(probabilities, temperature)[np.arange(len(classes)), classes].mean())


def fit_temperature(probabilities: np.ndarray, classes: np.ndarray) -> float:
    """Return the temperature with the lowest `log_loss`, within `TEMPERATURES`; arguments as there.

    The loss is convex in 1/T, so that it has no other minimum.
    """
    found = minimize_scalar(
        lambda logarithm: log_loss(probabilities, classes, np.exp(logarithm)),
        bounds=np.log(TEMPERATURES),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(np.exp(found.x))


def write_calibration(
    networks: Sequence[str],
    probabilities: Sequence[str | Path],
    slices: str | Path,
    splits: str | Path,
    calibration: Path,
) -> None:
    """Write the temperature of each network, and that of the mean of all.

    Parameters
    ----------
    networks : list of str
    probabilities : list of path
        Region probabilities of the training cohort, in the order of `networks`.
    slices, splits : path
        Of the training cohort.
    calibration : path
        Written: for each network, and for `ALL`, the ``temperature``, the number of validation ``slices``, and their
        negative log likelihood before and after (``nll_before``, ``nll_after``).

    Raises
    ------
    InputError
        No slice is in the validation split, or one of them has no probabilities.
    """
    reference = validation_reference(slices, splits)
    classes = class_indices(reference["region"])
    found = {}
    for name, table in read_all(networks, probabilities).items():
        values = values_of(table, reference, name)
        temperature = round(fit_temperature(values, classes), TEMPERATURE_DECIMALS)
        losses = {"nll_before": log_loss(values, classes, 1.0), "nll_after": log_loss(values, classes, temperature)}
        rounded = {key: round(loss, LOSS_DECIMALS) for key, loss in losses.items()}
        found[name] = {"temperature": temperature, "slices": len(classes), **rounded}
        print(f"{name}: temperature {temperature:.3f}, {len(classes)} validation slices", flush=True)
    Path(calibration).write_text(yaml.safe_dump(found, sort_keys=False))


def validation_reference(slices: str | Path, splits: str | Path) -> pd.DataFrame:
    """Read the reference regions of the training cohort's validation split; see `read_reference`.

    Raises
    ------
    InputError
        No case is in it.
    """
    if not cases_of(read_splits(splits), "validation"):
        raise InputError(
            f"{splits}: no case is in the validation split, on which temperatures and rates are estimated; "
            "give it patients (splits.validation)"
        )
    return read_reference(slices, splits, "validation")


def read_all(networks: Sequence[str], probabilities: Sequence[str | Path]) -> dict[str, pd.DataFrame]:
    """Read the probabilities of one cohort by each network, and their mean as `ALL`; arguments as above."""
    tables = {name: read_probabilities(path) for name, path in zip(networks, probabilities, strict=True)}
    return {**tables, ALL: mean_probabilities(list(tables.values()))}


def values_of(table: pd.DataFrame, slices: pd.DataFrame, name: str) -> np.ndarray:
    """Return the probabilities of some slices as an array of slices by classes.

    Parameters
    ----------
    table : DataFrame
        ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`.
    slices : DataFrame
        ``case`` and ``slice``.
    name : str
        Of the network, for the error's message.

    Raises
    ------
    InputError
        A slice has no probabilities.
    """
    values = of_slices(table, slices, name, "no probabilities", "classify again")
    return values[list(SLICE_CLASSES)].to_numpy(dtype=float)


def class_indices(regions: pd.Series) -> np.ndarray:
    """Return the index of each region in `SLICE_CLASSES`."""
    return regions.map({name: index for index, name in enumerate(SLICE_CLASSES)}).to_numpy()


def read_temperature(calibration: str | Path, name: str) -> float:
    """Read the temperature of a network, or of `ALL`, from what `write_calibration` wrote."""
    temperatures: Mapping = yaml.safe_load(Path(calibration).read_text())
    return float(temperatures[name]["temperature"])
