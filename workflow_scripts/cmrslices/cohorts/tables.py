"""The three tables of a cohort: cases.csv, splits.csv and slices.csv are written and read here only.

A name is text, from the patient's folder to the last table: patients called ``NA``, ``null``, ``1e5`` or ``0010`` keep
their names. A number is a number, and an empty cell among numbers is missing (NaN).
"""

from pathlib import Path

import pandas as pd

from cmrslices.labels import LABELS

CASES = {
    "case": "str",
    "patient": "str",
    "phase": "str",
    "excluded": "bool",
    "reason": "str",
    "slices": "Int64",
    "spacing_x_mm": "float",
    "spacing_y_mm": "float",
    "spacing_z_mm": "float",
    "flipped": "boolean",
    "direction_from": "str",
    "repairs": "str",
    "stack": "str",
    "frame": "Int64",
    "group": "str",
    "vendor": "str",
    "model": "str",
    "field_strength_t": "float",
}
"""Columns of cases.csv, each with its type: a row for every case found, the excluded ones too."""

SPLITS = {"case": "str", "patient": "str", "split": "str"}
"""Columns of splits.csv: a row for every converted case."""

AREAS = {f"{label}_mm2": "float" for label in LABELS}
"""Columns of the areas of the labels."""

SLICES = {
    "case": "str",
    "patient": "str",
    "phase": "str",
    "slice": "int",
    "region": "str",
    "position": "float",
    **AREAS,
}
"""Columns of slices.csv: a row for every slice of every converted case. The position of a non-cardiac slice is NaN."""

POSITION_DECIMALS = 6
AREA_DECIMALS = 3


def read_cases(path: str | Path) -> pd.DataFrame:
    """Read cases.csv; the columns have the types of `CASES`."""
    return _read(path, CASES)


def read_splits(path: str | Path) -> pd.DataFrame:
    """Read splits.csv; the columns have the types of `SPLITS`."""
    return _read(path, SPLITS)


def read_slices(path: str | Path) -> pd.DataFrame:
    """Read slices.csv; the columns have the types of `SLICES`."""
    return _read(path, SLICES)


def read_text(path: str | Path) -> pd.DataFrame:
    """Read any table as text, every cell as it is written; an empty cell is an empty string."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def cases_of(splits: pd.DataFrame, *names: str) -> list[str]:
    """Cases of one or more splits, sorted.

    Parameters
    ----------
    splits : DataFrame
        As `read_splits` gives it.
    *names : str
        train, validation or test.

    Examples
    --------
    >>> splits = pd.DataFrame({"case": ["c_b_ED", "c_a_ED", "c_c_ED"], "split": ["test", "train", "validation"]})
    >>> cases_of(splits, "validation", "test")
    ['c_b_ED', 'c_c_ED']
    """
    return sorted(splits.loc[splits["split"].isin(names), "case"])


def write_cases(table: pd.DataFrame, path: str | Path) -> None:
    """Write cases.csv from a table with the columns of `CASES`."""
    _write(table, CASES, path)


def write_splits(table: pd.DataFrame, path: str | Path) -> None:
    """Write splits.csv from a table with the columns of `SPLITS`."""
    _write(table, SPLITS, path)


def write_slices(table: pd.DataFrame, path: str | Path) -> None:
    """Write slices.csv from a table with the columns of `SLICES`; positions and areas are rounded."""
    decimals = {"position": POSITION_DECIMALS, **dict.fromkeys(AREAS, AREA_DECIMALS)}
    _write(table.round(decimals), SLICES, path)


def _read(path: str | Path, columns: dict[str, str]) -> pd.DataFrame:
    missing = {name: [""] for name, kind in columns.items() if kind != "str"}
    return pd.read_csv(path, dtype=columns, keep_default_na=False, na_values=missing)


def _write(table: pd.DataFrame, columns: dict[str, str], path: str | Path) -> None:
    table.to_csv(path, columns=list(columns), index=False)
