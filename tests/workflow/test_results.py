"""The published results: made from their slice scores, quoted as they are, with the settings of the public profile."""

import re
import shutil

import pandas as pd
import pytest
import yaml
from places import ROOT
from snakemake.utils import update_config
from workflow import aggregate_again

from cmrslices.classification.extent_reading import extent_regions
from cmrslices.cohorts.regions import PAPER
from cmrslices.commands.runs import write_answers_of_runs
from cmrslices.config import load_settings

PUBLISHED = ROOT / "results/published"
RUNS = sorted([*PUBLISHED.glob("*/seed*"), *PUBLISHED.glob("*/fold*")])
"""Every run; a link stands for a run that two folders need."""
FOLDERS = sorted({run.parent for run in RUNS})
FOLDS = sorted(PUBLISHED.glob("acdc/fold*"))
QUOTED = re.compile(r"-?\d+\.\d\d \[-?\d+\.\d\d, -?\d+\.\d\d\](?: \(-?\d+\.\d\d to -?\d+\.\d\d\))?")
"""An estimate with its interval and, where it is told, with the lowest and the highest run."""


def relative(path):
    return str(path.relative_to(ROOT))


def test_all_five_folds_of_the_public_data_are_published():
    assert [run.name for run in FOLDS] == [f"fold{fold}_seed1" for fold in range(1, 6)]


@pytest.mark.parametrize("run", [run for run in RUNS if not run.is_symlink()], ids=relative)
def test_the_tables_come_from_the_published_slice_scores(run, tmp_path):
    aggregate_again(run, tmp_path)
    made = [*run.glob("tables/*"), run / "figures/figure2.csv", *run.glob("classifiers/*.yaml")]
    assert len(made) == 35
    assert [file.name for file in made if (tmp_path / file.relative_to(run)).read_bytes() != file.read_bytes()] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=relative)
def test_the_answers_come_from_the_published_slice_scores(folder, tmp_path):
    for run in (run for run in RUNS if run.parent == folder):
        shutil.copytree(run, tmp_path / run.name, ignore=shutil.ignore_patterns("figures", "report"))
    write_answers_of_runs(tmp_path, ROOT / "resources/paper")
    for name in ("answers.csv", "agreement.csv", "region_rules.csv", "function_changes.csv"):
        made, published = pd.read_csv(tmp_path / name), pd.read_csv(folder / name)
        # The last digit of a variance follows the processor's way of adding up.
        pd.testing.assert_frame_equal(made, published, rtol=1e-4, atol=1e-4)


TOLD = ("answers.md", "region_rules.md", "function_changes.md")
"""Files beside published runs whose intervals documents may quote."""
DESIGN = ("public/small.yaml", "remedies.yaml", "public/remedies.yaml", "public/design.yaml")
FILES = {
    "acdc": (*DESIGN, "public/core.yaml"),
    "acdc_seeds": (*DESIGN, "public/core.yaml"),
    "acdc_rest": (*DESIGN, "public/rest.yaml"),
}
"""Published folder to the files of its runs' configuration, over config.yaml."""


@pytest.mark.parametrize("run", [run for run in RUNS if run.parent.name in FILES], ids=relative)
def test_published_runs_have_the_settings_of_their_files(run):
    settings = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in FILES[run.parent.name]:
        update_config(settings, yaml.safe_load((ROOT / name).read_text()))
    if fold := re.match(r"fold(\d+)", run.name):
        settings["splits"]["fold"] = int(fold[1])
    published = load_settings(yaml.safe_load((run / "config.yaml").read_text()))
    ours = load_settings(settings)
    parts = ("precision", "splits", "regions", "models", "segmentation", "classification", "approaches", "evaluation")
    for part in parts:
        assert getattr(published, part) == getattr(ours, part), part


@pytest.mark.parametrize("document", [ROOT / "README.md", *PUBLISHED.glob("*/README.md")], ids=relative)
def test_intervals_in_a_document_are_those_of_the_answers(document):
    quoted = set(QUOTED.findall(without_marks(document)))
    answers = "".join(without_marks(file) for file in PUBLISHED.glob("*/*.md") if file.name in TOLD)
    assert quoted
    assert [found for found in quoted if f" {found}" not in answers] == []


def without_marks(document):
    """Text on one line, without bold and ≈, which stand at different places in prose and in the answers."""
    return " ".join(re.sub("[*≈]", " ", document.read_text()).split())


def quoted_tables(document):
    """Cells of every row of a Markdown table, by the text of its first cell."""
    lines = [line.strip("|").split("|") for line in document.read_text().splitlines() if line.startswith("| ")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def lowest_to_highest(values):
    """What a document says about the folds of the public run."""
    return f"{min(values):.1f} to {max(values):.1f}"


def test_quoted_readings_are_those_of_the_folds():
    folds = pd.concat(pd.read_csv(run / "tables/readings.csv") for run in FOLDS)
    found = folds[(folds["cohort"] == "acdc") & (folds["group"] == "all")]
    text = found.groupby(["networks", "reading"])["right_percent"].agg(lowest_to_highest)
    quoted = quoted_tables(PUBLISHED / "acdc/README.md")
    assert quoted["selected network"] == [text["selected", "slice"], text["selected", "stack"]]
    assert quoted["mean of all networks"] == [text["all", "slice"], text["all", "stack"]]
    assert quoted["no image, regions by index"] == ["", text["none", "index"]]


def test_the_quoted_reading_of_the_baselines_extent_is_that_of_its_published_scores():
    right = []
    for run in FOLDS:
        slices = pd.read_csv(run / "scores/baseline/acdc.csv").groupby(["case", "slice"], as_index=False)
        found = slices.agg(found=("predicted_mm2", lambda areas: (areas > 0).any()), region=("region", "first"))
        right.append(100 * (extent_regions(found, PAPER)["region"] == found["region"]).mean())
    quoted = quoted_tables(PUBLISHED / "acdc/README.md")
    assert quoted["extent of the baseline"] == ["", lowest_to_highest(right)]


def test_quoted_calibration_errors_are_those_of_the_folds():
    rows = {"selected network, probabilities": [], "mean of all networks, probabilities": []}
    for run in FOLDS:
        table = pd.read_csv(run / "tables/reliability.csv").set_index("network")
        selected = yaml.safe_load((run / "classifiers/selected.yaml").read_text())["network"]
        for row, network in zip(rows.values(), (selected, "all"), strict=True):
            row.append(table.loc[network, ["ece_percent_before", "ece_percent_after"]])
    quoted = quoted_tables(PUBLISHED / "acdc/README.md")
    for name, found in rows.items():
        folds = pd.DataFrame(found)
        assert quoted[name] == [lowest_to_highest(folds[key]) for key in folds], name
