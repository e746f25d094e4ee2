"""Whether a finding holds under every scoring rule."""

import numpy as np
import pandas as pd

from cmrslices.evaluation.answers import EVERYONE
from cmrslices.evaluation.scoring import SCORING_RULES

FINDING = ["question", "cohort", "approach", "versus", "label", "region"]
QUESTIONS = ["gap", "change", "contrast"]
EVERY_RULE = "under every rule"
TURNS = "no: its sign turns"


def across_rules(found: pd.DataFrame) -> pd.DataFrame:
    """Gaps and differences under the scoring rules, side by side.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.

    Returns
    -------
    DataFrame
        question, cohort, approach, versus, label, region; for each rule of `SCORING_RULES` its estimate, low and high,
        as ``carried_low``; and holds: `EVERY_RULE` (all three intervals exclude 0, on the same side), `TURNS` (two of
        them exclude 0 on different sides), or the rules under which the interval excludes 0. The rows in which at
        least one interval does.
    """
    part = found[found["question"].isin(QUESTIONS) & (found["subgroup"] == EVERYONE)]
    order = part[FINDING].drop_duplicates()
    side = np.sign(part["estimate"]).where((part["low"] > 0) | (part["high"] < 0), 0)
    wide = part.assign(side=side).pivot(index=FINDING, columns="scoring", values=["estimate", "low", "high", "side"])
    wide = wide.reindex(pd.MultiIndex.from_frame(order))
    holds = [_verdict(row) for row in wide["side"].reindex(columns=list(SCORING_RULES)).itertuples(index=False)]
    columns = {
        f"{rule}_{value}": wide[value, rule]
        for rule in SCORING_RULES
        for value in ("estimate", "low", "high")
        if (value, rule) in wide
    }
    table = pd.DataFrame(columns, index=wide.index).assign(holds=holds).reset_index()
    return table[table["holds"] != ""].reset_index(drop=True)


def _verdict(sides: tuple[float, ...]) -> str:
    """The verdict from the side of 0 on which each rule's interval lies: -1, 1, or 0 where it holds 0."""
    clear = {rule: side for rule, side in zip(SCORING_RULES, sides, strict=True) if side in (-1, 1)}
    if len(set(clear.values())) == 2:
        return TURNS
    if len(clear) == len(SCORING_RULES):
        return EVERY_RULE
    return f"only under {' and '.join(clear)}" if clear else ""
