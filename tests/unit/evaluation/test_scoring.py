"""Scoring rules: which slices have a DSC."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from cmrslices.config import Evaluation
from cmrslices.evaluation.scoring import SCORING_RULES, score_under

SLICES = pd.DataFrame(
    [("base", 9, 8, 0.8), ("base", 9, 0, 0.0), ("base", 0, 5, np.nan), ("base", 0, 0, np.nan)],
    columns=["region", "reference_mm2", "predicted_mm2", "dsc"],
    index=["found", "missed", "invented", "left out"],
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("carried", [0.8, 0.0, np.nan, np.nan]),
        ("union", [0.8, 0.0, 0.0, np.nan]),
        ("all", [0.8, 0.0, 0.0, 1.0]),
    ],
)
def test_a_slice_is_scored_as_the_rule_says(rule, expected):
    np.testing.assert_equal(score_under(SLICES, rule)["dsc"].tolist(), expected)


@pytest.mark.parametrize("rule", SCORING_RULES)
def test_no_rule_scores_a_slice_without_any_label(rule):
    outside = SLICES[SLICES["reference_mm2"] == 0].assign(region="non-cardiac")
    assert score_under(outside, rule)["dsc"].isna().all()


def test_the_configuration_knows_the_same_rules():
    assert get_args(Evaluation.model_fields["scoring"].annotation) == tuple(SCORING_RULES)
