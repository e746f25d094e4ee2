"""Whether a finding holds under another rule of which labelled slices are base and apex: a sensitivity analysis."""

from collections.abc import Mapping

import pandas as pd

from cmrslices.cohorts.regions import RegionRule, slice_regions
from cmrslices.evaluation.answer_tables import rules_section
from cmrslices.evaluation.rule_agreement import across_rules
from cmrslices.labels import NON_CARDIAC, REGIONS
from cmrslices.presentation.sections import Section

REGION_RULES = {
    "centres": "slice k of the N labelled ones, from k = 0, lies at (k + 1/2)/N, its centre",
    "ends": "it lies at k/(N - 1), so that the first and the last one are the ends of the heart",
}
"""Each value of the key `regions.rule` to what it says."""
QUESTION = (
    "Does it hold if the regions end elsewhere?",
    "Gaps and differences in base, middle and apex of which at least one rule's interval excludes 0, in points of "
    "DSC %. The rules differ in where a labelled slice lies in the heart, and so in which slices are its ends: "
    + "; ".join(f"{rule}: {place}" for rule, place in REGION_RULES.items())
    + ". Only the regions in which slices are told differ. Models and routers are the same in all columns.",
)
STACK = ["run", "case"]


def under_region_rule(scores: pd.DataFrame, rule: RegionRule) -> pd.DataFrame:
    """Name the region of every slice again; all scores stay.

    Models and routers are those that were trained and used with the regions of before.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, of every slice of a case, with the column run.
    rule : RegionRule

    Returns
    -------
    DataFrame
        The scores with other regions. Their positions in the heart do not depend on the rule.
    """
    slices = scores[[*STACK, "slice", "region"]].drop_duplicates().sort_values([*STACK, "slice"])
    labelled = slices["region"] != NON_CARDIAC
    named = labelled.groupby([slices[name] for name in STACK], observed=True).transform(
        lambda stack: slice_regions(stack.to_numpy(), rule)[0]
    )
    renamed = slices.assign(region=pd.Categorical(named, scores["region"].cat.categories))
    return scores.drop(columns="region").merge(renamed, on=[*STACK, "slice"], validate="many_to_one")


def across_region_rules(found: pd.DataFrame, scoring: str) -> pd.DataFrame:
    """Gaps and differences in base, middle and apex under every rule that names regions, as `across_rules` gives them.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them under every rule, with the rule in the column region_rule.
    scoring : str
        The scoring rule of the answers that are compared.
    """
    in_regions = found[(found["scoring"] == scoring) & found["region"].isin(REGIONS)]
    return across_rules(in_regions, "region_rule", REGION_RULES)


def region_rules_section(
    compared: pd.DataFrame, found: pd.DataFrame, cohorts: Mapping[str, str], approaches: Mapping[str, str]
) -> Section:
    """A table of what `across_region_rules` gives.

    Parameters
    ----------
    compared : DataFrame
    found : DataFrame
        The answers from which it comes.
    cohorts, approaches : dict of name to title
    """
    return rules_section(compared, found, cohorts, approaches, list(REGION_RULES), QUESTION)
