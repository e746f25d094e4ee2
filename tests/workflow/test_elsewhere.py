"""The workflow and its profiles, called from a folder that is not the clone."""

import pytest
from places import ROOT
from workflow import job_counts, snakemake


def planned(folder, *arguments):
    """Rule to number of jobs that a dry run in a folder lists."""
    return job_counts(snakemake(folder, "-n", "--nocolor", *arguments))


@pytest.mark.parametrize("profile", ["demo", "public", "slurm"])
def test_a_profile_plans_the_same_from_another_folder_as_in_the_clone(tmp_path, profile):
    in_the_clone = planned(ROOT, "--profile", profile, "--directory", tmp_path)
    assert planned(tmp_path, "-s", ROOT / "Snakefile", "--profile", ROOT / profile) == in_the_clone
    assert planned(ROOT.parent, "-s", f"{ROOT.name}/Snakefile", "--profile", f"{ROOT.name}/{profile}") == in_the_clone


def test_the_snakefile_plans_the_same_from_another_folder_as_in_the_clone(tmp_path):
    assert planned(tmp_path, "-s", ROOT / "Snakefile") == planned(ROOT, "--directory", tmp_path)


def test_the_demo_runs_in_the_folder_from_which_it_is_called(tmp_path):
    call = ("-s", ROOT / "Snakefile", "--profile", ROOT / "demo")
    done = snakemake(tmp_path, *call, "results/demo/cohorts/acdc/splits.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/demo/cohorts/acdc/splits.csv").exists()
