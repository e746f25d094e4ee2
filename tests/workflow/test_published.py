"""A finished run, published: nothing names a patient, the tables come out again, and the answers are read from it."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from places import ROOT
from workflow import aggregate_again

from cmrslices.commands.publication import publish
from cmrslices.commands.runs import write_answers_of_runs

LEFT_BEHIND = shutil.ignore_patterns("images", "labels", "nnunet", "predictions", "logs")


@pytest.fixture(scope="module")
def run(finished, tmp_path_factory):
    """The finished run's results with identifiers in what is not to be published."""
    results = tmp_path_factory.mktemp("run") / "results"
    shutil.copytree(finished.folder / "results", results, ignore=LEFT_BEHIND)
    file = results / "cohorts/acdc/cases.csv"
    told = pd.read_csv(file, dtype=str, keep_default_na=False)
    told.assign(repairs="of Planted", stack="Planted series", vendor="Planted", group="Planted").to_csv(
        file, index=False
    )
    (results / "scores/Planted.csv").write_text("Planted\n")
    return results


@pytest.fixture(scope="module")
def published(run, tmp_path_factory):
    target = tmp_path_factory.mktemp("published") / "seed2022"
    publish(run, target)
    return target


def identifiers(run):
    """Names of patients and cases, and what was planted."""
    tables = [pd.read_csv(file, dtype=str) for file in run.glob("cohorts/*/cases.csv")]
    assert len(tables) == 3
    names = {name for table in tables for column in ("patient", "case") for name in table[column]}
    return {*names, "Planted"}


def test_nothing_that_is_published_names_a_patient_or_a_folder(run, published):
    texts = {file: file.read_bytes() for file in published.rglob("*") if file.is_file()}
    assert len(texts) > 50
    told = {*identifiers(run), str(run), str(ROOT)}
    assert [(file, name) for file, text in texts.items() for name in told if name.encode() in text] == []
    assert [file for file in texts if any(name in str(file.relative_to(published)) for name in told)] == []


def test_no_image_and_no_weight_is_published(published):
    endings = {file.suffix for file in published.rglob("*") if file.is_file()}
    assert endings == {".csv", ".md", ".tex", ".yaml", ".png", ".pdf"}


def test_scores_are_those_of_the_run_but_for_the_names(run, published):
    for file in sorted([*run.glob("scores/*/*.csv"), *run.glob("boundaries/*/*.csv")]):
        ours, theirs = (pd.read_csv(folder / file.relative_to(run), dtype=str) for folder in (published, run))
        others = [name for name in theirs if name not in {"case", "patient"}]
        pd.testing.assert_frame_equal(ours[others], theirs[others])
        assert ours.groupby("case").ngroups == theirs.groupby("case").ngroups


def test_the_published_slice_scores_give_the_published_tables_byte_for_byte(finished, published, tmp_path):
    aggregate_again(published, tmp_path, finished.project)
    made = [file.relative_to(published) for part in ("tables", "figures") for file in (published / part).iterdir()]
    made += [Path("classifiers/selected.yaml"), Path("classifiers/calibration.yaml")]
    assert len(made) > 20
    assert [str(file) for file in made if (tmp_path / file).read_bytes() != (published / file).read_bytes()] == []


def test_answers_are_given_for_every_cohort_and_the_papers_cells(published):
    write_answers_of_runs(published.parent, ROOT / "resources/paper")
    found = pd.read_csv(published.parent / "answers.csv")
    assert set(found["cohort"]) == {"nhs", "mnms", "acdc"}
    assert set(found["question"]) >= {
        "gap",
        "missed",
        "change",
        "invented",
        "errors",
        "right",
        "wrong",
        "break_even",
    }
    cells = [
        len(pd.read_csv(ROOT / f"resources/paper/table{k}.csv", comment="#").query("region != 'middle'"))
        for k in (1, 3)
    ]
    assert len(pd.read_csv(published.parent / "agreement.csv")) == sum(cells)
    assert "How good must the classifier be?" in (published.parent / "answers.md").read_text()


def test_a_single_published_seed_answers_as_its_run_did(run, published):
    """Disease groups and vendors are not published, so that only the run tells the answers by them."""
    write_answers_of_runs(published.parent, ROOT / "resources/paper")
    made, own = (
        pd.read_csv(file, dtype=str) for file in (published.parent / "answers.csv", run / "tables/answers.csv")
    )
    told = own[~own["subgroup"].str.contains("^group|^vendor")].reset_index(drop=True)
    pd.testing.assert_frame_equal(made, told)
    for ending in ("csv", "md"):
        made = (published.parent / f"agreement.{ending}").read_text()
        assert made == (run / f"tables/answers_against_paper.{ending}").read_text(), ending
