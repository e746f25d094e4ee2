"""Whether a finding holds under every rule: of scoring, or of naming regions."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from cmrslices.evaluation.answers import EVERYONE
from cmrslices.evaluation.statistics import LEVEL_OF_MARKS

FINDING = ["question", "cohort", "approach", "versus", "label", "region"]
QUESTIONS = ["primary", "gap", "change", "contrast"]
EVERY_RULE = "under every rule"
TURNS = "no: its sign turns"
NONE = "under none after correction"


def across_rules(found: pd.DataFrame, by: str, rules: Collection[str]) -> pd.DataFrame:
    """Gaps and differences under several rules, side by side.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    by : str
        Its column that names the rule, such as scoring.
    rules : collection of str
        In the order of the columns.

    Returns
    -------
    DataFrame
        As `side_by_side` gives them, but without told: the rows in which at least one interval excludes 0.
    """
    asked = found["question"].isin(QUESTIONS) & (found["subgroup"] == EVERYONE)
    table = side_by_side(found[asked], by, rules)
    return table[table["told"].eq(True)].drop(columns="told").reset_index(drop=True)


def side_by_side(found: pd.DataFrame, by: str, rules: Collection[str]) -> pd.DataFrame:
    """Answers under several rules, in one row.

    Parameters
    ----------
    found : DataFrame
        question, cohort, approach, versus, label, region, the rule, estimate, low, high, and p_holm.
    by : str
        The column that names the rule.
    rules : collection of str
        In the order of the columns.

    Returns
    -------
    DataFrame
        question, cohort, approach, versus, label, region; for each rule its estimate, low, high, and whether it
        holds, such as ``carried_low`` and ``carried_holds``; told: whether at least one interval excludes 0; and
        verdict: `TURNS` (two intervals exclude 0 on different sides), `EVERY_RULE`, the rules under which the
        difference holds after Holm's correction, or `NONE`.
    """
    if found.empty:
        return pd.DataFrame(columns=[*FINDING, "told", "verdict"])
    order = found[FINDING].drop_duplicates()
    part = found.assign(
        side=np.sign(found["estimate"]).where((found["low"] > 0) | (found["high"] < 0), 0),
        holds=found["p_holm"] < LEVEL_OF_MARKS,
    )
    values = ["estimate", "low", "high", "holds", "side"]
    wide = part.pivot(index=FINDING, columns=by, values=values).reindex(pd.MultiIndex.from_frame(order))
    sides, holds = wide["side"].fillna(0), wide["holds"].eq(True)
    verdicts = [_verdict(set(sides.loc[place]), holds.loc[place], rules) for place in wide.index]
    columns = {f"{rule}_{value}": wide[value, rule] for rule in rules for value in values[:-1]}
    told = (sides != 0).any(axis=1)
    return pd.DataFrame(columns, index=wide.index).assign(told=told, verdict=verdicts).reset_index()


def _verdict(sides: set[float], holds: pd.Series, rules: Collection[str]) -> str:
    """The verdict on a finding from the sides of 0 (0 where an interval holds 0) and from whether it holds by rule."""
    if {-1, 1} <= sides:
        return TURNS
    under = [rule for rule in rules if holds[rule]]
    if len(under) == len(rules):
        return EVERY_RULE
    return f"only under {' and '.join(under)}" if under else NONE
