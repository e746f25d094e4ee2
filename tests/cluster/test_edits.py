"""Files that are edited while jobs wait in SLURM's queue: a job that would compute with something else stops."""

import shutil
from contextlib import contextmanager

import pytest
import yaml
from shared import made_once
from submission import Submission
from workflow import TINY, TWO_JOBS, Workflow, copy_project, merged

ONE_COHORT = merged(
    TINY,
    {"cohorts": {"mnms": None, "acdc": None}, "demo": {"folder": "raw", "patients": {"nhs": 4}}},
)
SLICES = "results/cohorts/nhs/slices.csv"
CONVERTED = "results/cohorts/nhs/cases.csv"
LOG = "results/logs/assign_regions/nhs.log"


@pytest.fixture(scope="session")
def undisturbed(cluster, tmp_path_factory, worker_id):
    """A copy of the project with the slices of a small cohort, made without SLURM."""

    def make(project):
        copy_project(project)
        answer = Workflow(project, ONE_COHORT, project).run(*TWO_JOBS, SLICES)
        assert answer.returncode == 0, answer.stderr[-5000:]

    return made_once("unedited", make, tmp_path_factory, worker_id)


@pytest.fixture
def submission(idle_cluster, undisturbed, tmp_path):
    """The same project before its conversion, which comes before `assign_regions`."""
    project = tmp_path / "project"
    shutil.copytree(undisturbed, project)
    shutil.rmtree(project / "results")
    submission = Submission(idle_cluster, project, ONE_COHORT, project)
    yield submission
    submission.kill()


def edited_configuration(submission):
    """The configuration file, and what it becomes: another share of slices is the base."""
    return submission.overlay, yaml.safe_dump(merged(ONE_COHORT, {"regions": {"base": 0.4}}))


def edited_code(submission):
    """A module that the script of `assign_regions` imports, and what it becomes."""
    module = submission.project / "workflow_scripts/cmrslices/cohorts/regions.py"
    return module, f"{module.read_text()}\nCHANGED = 1\n"


@contextmanager
def queue_held(cluster):
    """Let submitted jobs wait."""
    cluster.run("scontrol", "update", f"NodeName={cluster.node}", "State=DRAIN", "Reason=test")
    yield
    cluster.run("scontrol", "update", f"NodeName={cluster.node}", "State=RESUME")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            edited_configuration,
            "the configuration was changed after this run was planned: base was 0.2 and is 0.4; put it back, or",
        ),
        (
            edited_code,
            "the code of workflow_scripts/assign_regions.py, or of a module that it imports, was changed after this",
        ),
    ],
    ids=["configuration", "code"],
)
def test_a_job_that_starts_after_an_edit_stops_and_says_what_differs(idle_cluster, undisturbed, submission, edit, told):
    file, text = edit(submission)
    planned = file.read_text()
    with queue_held(idle_cluster):
        submission.start("--retries", "0", "--", SLICES)
        submission.wait_for_words("submitted with SLURM jobid")
        assert idle_cluster.jobs("PENDING") == submission.submitted
        file.write_text(text)
    submission.wait_for_failure()
    assert submission.text(CONVERTED), "the conversion does not use what was edited, so it goes on"
    assert f"ERROR: assign_regions cohort=nhs: {told}" in submission.text(LOG)
    assert f"log: {LOG}, " in submission.said.partition("Error in rule assign_regions")[2]
    assert not submission.text(SLICES)

    file.write_text(planned)
    submission.run("--", SLICES)
    assert len(submission.submitted) == 1
    assert submission.text(SLICES) == (undisturbed / SLICES).read_text()
