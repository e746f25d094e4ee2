"""Our answers beside the paper's Tables 1 and 3, cell by cell."""

import numpy as np
import pandas as pd

from cmrslices.evaluation.answers import ENDS, EVERYONE
from cmrslices.evaluation.jackknife import DECIMALS

CELL = ["question", "cohort", "approach", "label", "region"]


def paper_cells(table1: pd.DataFrame, table3: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The paper's gaps (Table 1) and changes (Table 3) as answers.

    Parameters
    ----------
    table1, table3 : DataFrame
        From resources/paper.
    baseline : str
        The approach of Table 1.

    Returns
    -------
    DataFrame
        question, cohort, approach, label, region, paper (points of DSC %), paper_significant.
    """
    middle = table1.loc[table1["region"] == "middle", ["cohort", "label", "mean"]]
    gap = table1[table1["region"].isin(ENDS)].merge(middle, on=["cohort", "label"], suffixes=("", "_middle"))
    gap = gap.assign(question="gap", approach=baseline, paper=(gap["mean_middle"] - gap["mean"]).round(DECIMALS))
    change = table3.assign(question="change", paper=table3["mean_difference"])
    both = pd.concat([gap, change], ignore_index=True).rename(columns={"significant": "paper_significant"})
    return both[[*CELL, "paper", "paper_significant"]]


def agreement(found: pd.DataFrame, paper: pd.DataFrame, scoring: str) -> pd.DataFrame:
    """Our answers beside the paper's, cell by cell.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    paper : DataFrame
        As `paper_cells` gives them.
    scoring : str
        The scoring rule of our answers.

    Returns
    -------
    DataFrame
        question, cohort, approach, label, region; paper, paper_significant; ours, low, high; paper_inside (whether
        the paper's value lies in our interval); verdict: ``same sign`` or ``opposite sign`` (the paper's is
        significant and our interval excludes 0), ``only the paper``, ``only ours``, ``neither``, or ``no interval``.
        The cells that both have, in the paper's order.
    """
    asked = found[(found["scoring"] == scoring) & (found["subgroup"] == EVERYONE)]
    ours = asked.rename(columns={"estimate": "ours"}).astype(dict.fromkeys(CELL, str))
    table = paper.merge(ours[[*CELL, "ours", "low", "high"]], on=CELL)
    starred = table["paper_significant"].astype(bool)
    clear = (table["low"] > 0) | (table["high"] < 0)
    same = np.sign(table["paper"]) == np.sign(table["ours"])
    verdicts = {
        "no interval": table["low"].isna(),
        "same sign": starred & clear & same,
        "opposite sign": starred & clear,
        "only the paper": starred,
        "only ours": clear,
    }
    return table.assign(
        paper_inside=table["paper"].between(table["low"], table["high"]).where(table["low"].notna()),
        verdict=np.select(list(verdicts.values()), list(verdicts), "neither"),
    )
