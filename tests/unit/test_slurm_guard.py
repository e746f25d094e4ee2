"""Snakemake's SLURM plugin loses no job and waits for none that is gone."""

import asyncio
from types import SimpleNamespace

import pytest

from cmrslices.slurm_guard import end_preempted, keep_unsettled


class Executor:
    """An executor of two jobs of which one check loses sight."""

    def __init__(self):
        self.warnings, self.succeeded = [], []
        self.logger = SimpleNamespace(warning=self.warnings.append)

    def report_job_success(self, job):
        self.succeeded.append(job)

    def report_job_error(self, job, msg=None):
        raise AssertionError("no job failed")


@pytest.fixture
def jobs():
    return [SimpleNamespace(external_jobid=number) for number in ("11", "12")]


def checked(check, jobs):
    executor = Executor()

    async def collect():
        return [job async for job in keep_unsettled(check)(executor, jobs)]

    return executor, asyncio.run(collect())


def answers(*states):
    """States of job 11 that SLURM answers, and what the guard makes of them."""
    given = iter(states)

    async def query():
        state = next(given)
        return (None, None) if state is None else ({"11": state}, 0.1)

    guarded = end_preempted(query)
    results = [asyncio.run(guarded())[0] for _ in states]
    return [result and result["11"] for result in results]


def test_a_check_without_an_answer_keeps_all_jobs_and_says_so(jobs):
    async def check(executor, active):
        for _ in ():
            yield

    executor, kept = checked(check, jobs)
    assert kept == jobs
    assert executor.warnings == ["SLURM does not answer; asking again for the state of the jobs 11, 12."]


def test_a_job_that_ended_or_runs_is_left_to_the_check(jobs):
    async def check(executor, active):
        executor.report_job_success(active[0])
        yield active[1]

    executor, kept = checked(check, jobs)
    assert kept == [jobs[1]]
    assert executor.succeeded == [jobs[0]]
    assert executor.warnings == []


def test_a_job_preempted_in_two_answers_counts_as_cancelled():
    assert answers("RUNNING", "PREEMPTED", "PREEMPTED") == ["RUNNING", "PREEMPTED", "CANCELLED"]


def test_a_job_requeued_after_preemption_stays():
    assert answers("PREEMPTED", "PENDING", "PREEMPTED") == ["PREEMPTED", "PENDING", "PREEMPTED"]


def test_a_missing_answer_says_nothing_about_preemption():
    assert answers("PREEMPTED", None, "PREEMPTED") == ["PREEMPTED", None, "CANCELLED"]
