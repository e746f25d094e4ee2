"""What the answers of published runs are made from."""

import shutil

import pandas as pd
import yaml
from places import ROOT

from cmrslices.commands.runs import read_runs

PUBLISHED = ROOT / "results/published/acdc/seed1"
MODELS = {"base": "base", "middle": "middle", "apex": "apex", "non-cardiac": "baseline"}


def test_an_approach_by_an_extent_is_judged_by_its_published_regions(tmp_path):
    """The regions that are published here name the middle for every slice."""
    run = tmp_path / "seed1"
    configuration = yaml.safe_load((PUBLISHED / "config.yaml").read_text())
    others = dict.fromkeys(set(configuration["approaches"]) - {"baseline"})
    mine = {"title": "Mine", "router": "extent", "extent_of": "baseline", "models": MODELS}
    configuration["approaches"] |= {**others, "mine": mine}
    shutil.copytree(PUBLISHED / "scores/baseline", run / "scores/baseline")
    (run / "config.yaml").write_text(yaml.safe_dump(configuration))
    for folder in ("scores/mine", "regions/extent/baseline"):
        (run / folder).mkdir(parents=True)
    for cohort in ("acdc", "mnms"):
        scores = pd.read_csv(run / f"scores/baseline/{cohort}.csv", dtype=str)
        scores.assign(approach="mine").to_csv(run / f"scores/mine/{cohort}.csv", index=False)
        slices = scores[["case", "slice"]].drop_duplicates()
        slices.assign(region="middle").to_csv(run / f"regions/extent/baseline/{cohort}.csv", index=False)
    _, found = read_runs(tmp_path)
    assert (found["right:mine"] == (found["region"] == "middle")).all()
    assert set(found["approach"]) == {"baseline", "mine"}
