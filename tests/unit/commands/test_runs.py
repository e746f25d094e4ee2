"""What the answers of published runs are made from."""

import shutil

import pandas as pd
import pytest
import yaml
from places import ROOT

from cmrslices.commands.runs import read_function, read_runs
from cmrslices.runtime.errors import InputError

PUBLISHED = ROOT / "results/published/acdc/fold1_seed1"
MODELS = {"base": "base", "middle": "middle", "apex": "apex", "non-cardiac": "baseline"}


@pytest.mark.parametrize(
    ("routed", "folder", "named"),
    [
        ({"router": "extent", "extent_of": "baseline"}, "regions/extent/baseline", {"region": "middle"}),
        (
            {"router": "classifier", "head_of": "joint"},
            "heads/joint",
            {"non-cardiac": "0.1", "base": "0.2", "middle": "0.6", "apex": "0.1"},
        ),
    ],
    ids=["extent", "head"],
)
def test_an_approach_by_an_extent_or_a_head_is_judged_by_its_published_regions(tmp_path, routed, folder, named):
    """What is published here names the middle for every slice."""
    run = tmp_path / "seed1"
    configuration = yaml.safe_load((PUBLISHED / "config.yaml").read_text())
    others = dict.fromkeys(set(configuration["approaches"]) - {"baseline"})
    configuration["evaluation"]["primary"] = []
    configuration["approaches"] |= {**others, "mine": {"title": "Mine", "models": MODELS, **routed}}
    shutil.copytree(PUBLISHED / "scores/baseline", run / "scores/baseline")
    (run / "config.yaml").write_text(yaml.safe_dump(configuration))
    for made in ("scores/mine", folder):
        (run / made).mkdir(parents=True)
    for cohort in ("acdc", "mnms"):
        scores = pd.read_csv(run / f"scores/baseline/{cohort}.csv", dtype=str)
        scores.assign(approach="mine").to_csv(run / f"scores/mine/{cohort}.csv", index=False)
        slices = scores[["case", "slice"]].drop_duplicates()
        slices.assign(**named).to_csv(run / f"{folder}/{cohort}.csv", index=False)
    _, found = read_runs(tmp_path)
    assert (found["right:mine"] == (found["region"] == "middle")).all()
    assert set(found["approach"]) == {"baseline", "mine"}


def test_a_run_without_the_function_of_its_patients_is_named(tmp_path):
    (tmp_path / "seed7/tables").mkdir(parents=True)
    with pytest.raises(InputError, match=r"seed7/tables/patients_function\.csv: is missing; publish the run again"):
        read_function(tmp_path)
