"""Scoring rules: which slices have a DSC, and what it is where reference or prediction are empty.

======== ======================================= ========================= ======================
rule     the reference lacks the label, and some the reference lacks the   the reference carries
         of it is predicted (false positive)     label, none is predicted  the label
======== ======================================= ========================= ======================
carried  no DSC                                  no DSC                    2|A∩B| / (|A| + |B|)
union    0                                       no DSC                    2|A∩B| / (|A| + |B|)
all      0                                       1                         2|A∩B| / (|A| + |B|)
======== ======================================= ========================= ======================

``carried`` judges every approach on the same slices. ``union`` is nnU-Net's rule (`compute_metrics` leaves out what is
empty in both); which slices count then depends on the approach. ``all`` counts every slice that carries any label. No
rule scores a non-cardiac slice: what is predicted there is counted as a false positive, beside the DSC.
"""

import numpy as np
import pandas as pd

from cmrslices.labels import NON_CARDIAC

SCORING_RULES = {
    "carried": "the slices whose reference carries the label",
    "union": "the slices in which the reference or the approach has the label (a false positive counts as 0)",
    "all": "all labelled slices (a false positive counts as 0, a label that is rightly left out as 100)",
}
"""Each rule, and over which slices its means are."""


def score_under(scores: pd.DataFrame, rule: str) -> pd.DataFrame:
    """The scores with the DSC that a scoring rule gives.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them.
    rule : str
        One of `SCORING_RULES`.

    Returns
    -------
    DataFrame
        The same rows; dsc (0 to 1) is NaN where the rule gives none.

    Examples
    --------
    The label is found in part, invented, and rightly left out.

    >>> scores = pd.DataFrame({"dsc": [0.8, np.nan, np.nan], "reference_mm2": [9, 0, 0], "predicted_mm2": [8, 5, 0]})
    >>> scores = scores.assign(region="base")
    >>> {rule: score_under(scores, rule)["dsc"].tolist() for rule in SCORING_RULES}
    {'carried': [0.8, nan, nan], 'union': [0.8, 0.0, nan], 'all': [0.8, 0.0, 1.0]}
    """
    lacks = (scores["reference_mm2"] == 0) & (scores["region"] != NON_CARDIAC)
    invented = lacks & (scores["predicted_mm2"] > 0)
    of_invented = {"carried": np.nan, "union": 0.0, "all": 0.0}[rule]
    of_left_out = {"carried": np.nan, "union": np.nan, "all": 1.0}[rule]
    dsc = scores["dsc"].mask(lacks & ~invented, of_left_out).mask(invented, of_invented)
    return scores.assign(dsc=dsc)
