"""The published results: made from their slice scores, quoted as they are, with the settings of the public profile."""

import re
import shutil

import pandas as pd
import pytest
import yaml
from places import ROOT
from snakemake.utils import update_config
from workflow import aggregate_again

from cmrslices.commands.seeds import write_answers_of_seeds
from cmrslices.config import load_settings

PUBLISHED = ROOT / "results/published"
RUNS = sorted(PUBLISHED.glob("*/seed*"))
FOLDERS = sorted({run.parent for run in RUNS})
QUOTED = re.compile(r"-?\d+\.\d\d \[-?\d+\.\d\d, -?\d+\.\d\d\]")


def relative(path):
    return str(path.relative_to(ROOT))


def test_three_seeds_of_the_public_data_are_published():
    assert len([run for run in RUNS if run.parent.name == "acdc"]) >= 3


@pytest.mark.parametrize("run", RUNS, ids=relative)
def test_the_tables_come_from_the_published_slice_scores(run, tmp_path):
    aggregate_again(run, tmp_path)
    made = [*run.glob("tables/*"), run / "figures/figure2.csv", run / "classifiers/selected.yaml"]
    assert len(made) == 19
    assert [file.name for file in made if (tmp_path / file.relative_to(run)).read_bytes() != file.read_bytes()] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=relative)
def test_the_answers_come_from_the_published_slice_scores(folder, tmp_path):
    for run in folder.glob("seed*"):
        shutil.copytree(run, tmp_path / run.name, ignore=shutil.ignore_patterns("tables", "figures", "report"))
    write_answers_of_seeds(tmp_path, ROOT / "resources/paper")
    for name in ("answers.csv", "agreement.csv"):
        made, published = pd.read_csv(tmp_path / name), pd.read_csv(folder / name)
        # The last digit of a variance follows the processor's way of adding up.
        pd.testing.assert_frame_equal(made, published, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("run", [run for run in RUNS if run.parent.name == "acdc"], ids=relative)
def test_the_public_profile_has_the_settings_of_the_published_runs(run):
    settings = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in ("public.yaml", "small.yaml"):
        update_config(settings, yaml.safe_load((ROOT / "public" / name).read_text()))
    published = load_settings(yaml.safe_load((run / "config.yaml").read_text()))
    ours = load_settings(settings)
    parts = ("precision", "splits", "regions", "models", "segmentation", "classification", "approaches", "evaluation")
    for part in parts:
        assert getattr(published, part) == getattr(ours, part), part


@pytest.mark.parametrize("document", [ROOT / "README.md", *PUBLISHED.glob("*/README.md")], ids=relative)
def test_intervals_in_a_document_are_those_of_the_answers(document):
    quoted = set(QUOTED.findall(document.read_text()))
    answers = "".join(file.read_text() for file in PUBLISHED.glob("*/answers.md"))
    assert quoted
    assert quoted - set(QUOTED.findall(answers)) == set()
