"""The quantities of cardiac function, from the volumes of ED and ES: for cohorts with labels and new patients alike."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

MYOCARDIUM_G_PER_ML = 1.05
VOLUMES = {
    "LVEDV": ("LVBP", "ED", 1.0),
    "LVESV": ("LVBP", "ES", 1.0),
    "LV mass": ("LVM", "ED", MYOCARDIUM_G_PER_ML),
    "RVEDV": ("RVBP", "ED", 1.0),
    "RVESV": ("RVBP", "ES", 1.0),
}
"""Quantities that are sums over slices: their label, their phase, and what a ml of it counts."""
QUANTITIES = {
    "LVEDV": "ml",
    "LVESV": "ml",
    "LVSV": "ml",
    "LVEF": "%",
    "LV mass": "g",
    "RVEDV": "ml",
    "RVESV": "ml",
    "RVSV": "ml",
    "RVEF": "%",
}
"""All quantities in reporting order, each with its unit."""
COLUMNS = {
    quantity: f"{quantity.replace(' ', '_')}_{unit.replace('%', 'percent')}" for quantity, unit in QUANTITIES.items()
}
"""Column of each quantity in tables with a row for each patient."""
PHASES_OF = {"EDV": ("ED",), "ESV": ("ES",), "SV": ("ED", "ES"), "EF": ("ED", "ES"), "mass": ("ED",)}
"""The phases that a quantity needs, by the end of its name."""
NO_PHASE = {"ED": "no ED", "ES": "no ES"}
NO_EDV = "EDV is 0"
ES_LARGER = "ES larger than ED"
NOTES = ("", *NO_PHASE.values(), NO_EDV, ES_LARGER)
"""What may be said of a patient's quantity: why it is empty, or that it is doubtful."""


def with_unit(quantity: str) -> str:
    """Name of a quantity, with its unit, as readers see it.

    Examples
    --------
    >>> with_unit("LVEF")
    'LVEF (%)'
    """
    return f"{quantity} ({QUANTITIES[quantity]})"


def with_fractions(volumes: pd.DataFrame) -> pd.DataFrame:
    """Add stroke volume and ejection fraction of both ventricles.

    Parameters
    ----------
    volumes : DataFrame
        A row for each patient, with the columns of `VOLUMES`; NaN where the phase is missing.

    Returns
    -------
    DataFrame
        With all columns of `QUANTITIES`. An ejection fraction without a volume at ED is NaN, and never 0.

    Examples
    --------
    >>> volumes = pd.DataFrame({"LVEDV": [120.0], "LVESV": [48.0], "RVEDV": [0.0], "RVESV": [0.0]})
    >>> with_fractions(volumes)[["LVSV", "LVEF", "RVSV", "RVEF"]].iloc[0].tolist()
    [72.0, 60.0, 0.0, nan]
    """
    table = volumes
    for side in ("LV", "RV"):
        edv = table[f"{side}EDV"]
        stroke = edv - table[f"{side}ESV"]
        table = table.assign(**{f"{side}SV": stroke, f"{side}EF": 100 * stroke / edv.where(edv > 0)})
    return table


def notes(quantity: str, sides: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Say of each patient why a quantity is empty, or that it is doubtful.

    Parameters
    ----------
    quantity : str
        Of `QUANTITIES`.
    sides : dict of str to DataFrame
        As `with_fractions` gives them: by one label map or several of the same cases. The note is about any of them.

    Returns
    -------
    (patients,) array of str
        Of `NOTES`.
    """
    ventricle = quantity[:2]
    kind = quantity.removeprefix(ventricle).strip()
    first = next(iter(sides.values()))
    volume_of = {phase: name for name, (label, phase, _) in VOLUMES.items() if label == f"{ventricle}BP"}
    conditions = {NO_PHASE[phase]: first[volume_of[phase]].isna() for phase in PHASES_OF[kind]}
    if kind == "EF":
        conditions[NO_EDV] = np.any([table[f"{ventricle}EDV"] == 0 for table in sides.values()], axis=0)
    if kind in ("SV", "EF"):
        conditions[ES_LARGER] = np.any([table[f"{ventricle}SV"] < 0 for table in sides.values()], axis=0)
    return np.select(list(conditions.values()), list(conditions), "")
