"""Our numbers beside the paper's."""

from pathlib import Path

import pandas as pd


def read_paper(path: str | Path) -> pd.DataFrame:
    """One of the paper's tables from resources/paper; its source is the comment in the first line."""
    return pd.read_csv(path, comment="#")


def beside_paper(ours: pd.DataFrame, paper: pd.DataFrame, key: list[str], values: list[str]) -> pd.DataFrame:
    """The values of both for every row that either has.

    Parameters
    ----------
    ours, paper : DataFrame
        Tidy tables with the columns `key`, which are unique in each, and `values`.
    key, values : list of str

    Returns
    -------
    DataFrame
        `key`; paper_ and ours_ of the first value and their difference (ours - paper); paper_ and ours_ of
        each further value. Ours first, in their order, then what only the paper has; NaN where one has none.
    """
    rows = pd.concat([ours[key], paper[key]]).drop_duplicates()
    table = rows
    for name, source in (("paper", paper), ("ours", ours)):
        renamed = source[[*key, *values]].rename(columns={value: f"{name}_{value}" for value in values})
        table = table.merge(renamed, on=key, how="left", validate="one_to_one")
    first, *others = values
    columns = [f"paper_{first}", f"ours_{first}", "difference"]
    columns += [f"{name}_{value}" for value in others for name in ("paper", "ours")]
    return table.assign(difference=table[f"ours_{first}"] - table[f"paper_{first}"])[[*key, *columns]]
