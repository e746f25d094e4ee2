"""Our numbers beside the paper's."""

from pathlib import Path

import pandas as pd


def read_paper(path: str | Path) -> pd.DataFrame:
    """Read one of the paper's tables from resources/paper; the comment in its first line names the source."""
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
        The columns `key`; of the first value, paper_{value}, ours_{value} and their difference (ours - paper); of
        each further value, paper_{value} and ours_{value}. Our rows come first, in their order, then those that only
        the paper has. NaN where one of the two has no value.

    Examples
    --------
    >>> ours = pd.DataFrame({"region": ["base", "middle"], "mean": [80.0, 90.0]})
    >>> paper = pd.DataFrame({"region": ["apex", "base"], "mean": [70.0, 75.0]})
    >>> beside_paper(ours, paper, key=["region"], values=["mean"])
       region  paper_mean  ours_mean  difference
    0    base        75.0       80.0         5.0
    1  middle         NaN       90.0         NaN
    2    apex        70.0        NaN         NaN
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
