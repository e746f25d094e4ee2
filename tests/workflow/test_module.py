"""The workflow as a module of another one, whose Snakefile lies in another folder."""

import re
import shutil
import subprocess

import pytest
import yaml
from places import ROOT
from workflow import TWO_JOBS, Workflow, copy_project, job_counts, snakemake

from cmrslices.runtime.accepted_code import FILE
from cmrslices.runtime.code_digest import LIBRARY, code_digest

MODULE = """
module {name}:
    snakefile: "{snakefile}"
    config: {config}
    prefix: {prefix}

use rule * from {name} {names}
"""


def module(name="cmr", snakefile=ROOT / "Snakefile", config="{}", prefix=None, names=""):
    """Statements that use the workflow as a module."""
    return MODULE.format(name=name, snakefile=snakefile, config=config, prefix=repr(prefix), names=names)


def answer(folder, snakefile, *arguments):
    """What Snakemake says to a Snakefile in a folder."""
    (folder / "Snakefile").write_text(snakefile)
    return snakemake(folder, "--nocolor", *arguments)


def planned(folder, snakefile, *targets):
    """Rule to number of jobs that a dry run lists."""
    return job_counts(answer(folder, snakefile, "-n", *targets))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Rule to number of jobs of the workflow by itself."""
    return Workflow(tmp_path_factory.mktemp("direct")).planned()


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A folder in which the example of the documentation has run."""
    folder = tmp_path_factory.mktemp("example")
    document = (ROOT / "docs/module.md").read_text()
    snakefile, config = (re.search(rf"```{kind}\n(.*?)```", document, re.S)[1] for kind in ("python", "yaml"))
    (folder / "config.yaml").write_text(config)
    done = answer(folder, snakefile.replace("/path/to/clone", str(ROOT)), *TWO_JOBS)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_documented_example_runs(example):
    assert (example / "cases.txt").read_text().strip() == "8"
    assert snakemake(example, "-n").stdout.strip().endswith("(all requested files are present and up to date).")


def test_a_prefix_is_put_before_results_and_not_before_raw_folders(example):
    assert len(list((example / "raw/nhs").glob("P*"))) == 4
    assert (example / "heart/results/logs/convert_cohort/nhs.log").exists()
    assert not (example / "results").exists()


def test_accepted_code_is_read_below_the_prefix(example):
    digest = code_digest(LIBRARY / "split_cohort.py")
    record = example / "heart/results" / FILE
    record.write_text(yaml.safe_dump([{"rule": "split_cohort", "accepted": digest, "made_by": "0" * 16}]))
    try:
        dry = snakemake(example, "-n", "--nocolor")
    finally:
        record.unlink()
    assert "cmr_split_cohort" in job_counts(dry)


@pytest.mark.parametrize("prefix", [None, "heart"])
@pytest.mark.parametrize("names", ["", "as cmr_*"])
def test_a_module_has_the_jobs_of_the_workflow(tmp_path, jobs, prefix, names):
    found = planned(tmp_path, module(prefix=prefix, names=names))
    assert {name.removeprefix("cmr_"): count for name, count in found.items() if name != "cmr_all"} == jobs


def test_the_configuration_of_the_caller_is_laid_over_that_of_the_workflow(tmp_path, jobs):
    (tmp_path / "config.yaml").write_text("seed: 5\napproaches: { sampling_low: null }\n")
    snakefile = 'configfile: "config.yaml"\n' + module(config="config")
    snakefile += 'print("module:", cmr.config["seed"], cmr.config["segmentation"]["epochs"])\n'
    dry = answer(tmp_path, snakefile, "-n")
    assert "module: 5 1000" in dry.stdout
    assert job_counts(dry)["train_segmenter"] == jobs["train_segmenter"] - 1


def test_the_first_rule_of_the_caller_stays_the_default_target(tmp_path):
    own = 'rule own:\n    output: "own.txt"\n    shell: "touch {output}"\n'
    assert planned(tmp_path, own + module()) == {"own": 1}


def test_the_papers_numbers_are_found_in_a_clone_below_the_callers_folder(tmp_path):
    (tmp_path / "clone").symlink_to(ROOT)
    snakefile = module(snakefile="clone/Snakefile", prefix="heart")
    assert planned(tmp_path, snakefile, "heart/results/tables/table1.html")["table1"] == 1


def test_one_clone_can_be_used_twice(tmp_path, jobs):
    twice = [module(name, config=f'{{"seed": {name[-1]}}}', prefix=name, names=f"as {name}_*") for name in ("s1", "s2")]
    both = planned(tmp_path, "".join(twice), "s1_all", "s2_all")
    assert both["s1_train_segmenter"] == both["s2_train_segmenter"] == jobs["train_segmenter"]


def test_two_clones_in_one_workflow_are_refused(tmp_path):
    copy_project(tmp_path / "other")
    both = module("one", names="as one_*") + module("two", "other/Snakefile", names="as two_*")
    dry = answer(tmp_path, both, "-n")
    assert dry.returncode != 0
    assert "use modules of one clone in a workflow" in dry.stdout


def test_a_module_that_is_no_clone_is_refused(tmp_path):
    (tmp_path / "hosted").mkdir()
    shutil.copy2(ROOT / "Snakefile", tmp_path / "hosted")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "m"],
    ):
        subprocess.run(["git", "-C", tmp_path / "hosted", *command], check=True)
    snakefile = 'module cmr:\n    snakefile: gitfile("hosted", path="Snakefile", ref="HEAD")\nuse rule * from cmr\n'
    dry = answer(tmp_path, snakefile, "-n")
    assert dry.returncode != 0
    assert "clone the repository, and give the path of the clone's Snakefile" in dry.stdout


def test_a_missing_raw_folder_stops_a_run_that_calls_the_modules_onstart(tmp_path):
    stopped = answer(tmp_path, module() + "onstart:\n    cmr.onstart()\n", "--cores", "1")
    assert stopped.returncode != 0
    assert f"cohort acdc: the folder {tmp_path}/data/ACDC does not exist" in stopped.stderr
    assert not (tmp_path / "results").exists()
