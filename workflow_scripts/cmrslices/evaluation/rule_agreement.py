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
        question, cohort, approach, versus, label, region; for each rule its estimate, low, high, and whether it
        holds, such as ``carried_low`` and ``carried_holds``; and verdict: `TURNS` (two intervals exclude 0 on different
        sides), `EVERY_RULE`, the rules under which the difference holds after Holm's correction, or `NONE`.
        The rows in which at least one interval excludes 0.
    """
    part = found[found["question"].isin(QUESTIONS) & (found["subgroup"] == EVERYONE)]
    if part.empty:
        return pd.DataFrame(columns=[*FINDING, "verdict"])
    order = part[FINDING].drop_duplicates()
    part = part.assign(
        side=np.sign(part["estimate"]).where((part["low"] > 0) | (part["high"] < 0), 0),
        holds=part["p_holm"] < LEVEL_OF_MARKS,
    )
    values = ["estimate", "low", "high", "holds", "side"]
    wide = part.pivot(index=FINDING, columns=by, values=values).reindex(pd.MultiIndex.from_frame(order))
    sides, holds = wide["side"].fillna(0), wide["holds"].eq(True)
    verdicts = [_verdict(set(sides.loc[place]), holds.loc[place], rules) for place in wide.index]
    columns = {f"{rule}_{value}": wide[value, rule] for rule in rules for value in values[:-1]}
    table = pd.DataFrame(columns, index=wide.index).assign(verdict=verdicts).reset_index()
    return table[(sides != 0).any(axis=1).to_numpy()].reset_index(drop=True)


def _verdict(sides: set[float], holds: pd.Series, rules: Collection[str]) -> str:
    """The verdict on a finding from the sides of 0 (0 where an interval holds 0) and from whether it holds by rule."""
    if {-1, 1} <= sides:
        return TURNS
    under = [rule for rule in rules if holds[rule]]
    if len(under) == len(rules):
        return EVERY_RULE
    return f"only under {' and '.join(under)}" if under else NONE
