"""Snakemake's SLURM plugin loses no job and waits for none that is gone."""

import asyncio
from types import SimpleNamespace

import pytest

from cmrslices.runtime.slurm_guard import (
    LastAnswer,
    end_forgotten,
    end_preempted,
    keep_unsettled,
    say_why_a_group_failed,
    without_arrays,
)


class Executor:
    """An executor of two jobs of which one check loses sight."""

    def __init__(self):
        self.warnings, self.succeeded, self.failed = [], [], []
        self.logger = SimpleNamespace(warning=self.warnings.append)

    def report_job_success(self, job):
        self.succeeded.append(job)

    def report_job_error(self, job, msg=None):
        self.failed.append((job, msg))


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
    assert executor.failed == []
    assert executor.warnings == []


def test_a_job_preempted_in_two_answers_counts_as_cancelled():
    assert answers("RUNNING", "PREEMPTED", "PREEMPTED") == ["RUNNING", "PREEMPTED", "CANCELLED"]


def test_a_job_requeued_after_preemption_stays():
    assert answers("PREEMPTED", "PENDING", "PREEMPTED") == ["PREEMPTED", "PENDING", "PREEMPTED"]


def test_a_missing_answer_says_nothing_about_preemption():
    assert answers("PREEMPTED", None, "PREEMPTED") == ["PREEMPTED", None, "CANCELLED"]


def looks(jobs, *answers):
    """The jobs kept after each look, and the executor: all run, as far as the check knows."""
    last, executor = LastAnswer(), Executor()

    async def check(executor, active):
        await query()
        for job in active:
            yield job

    async def answer():
        return given.pop(0), 0.1

    async def collect(active):
        return [job async for job in guarded(executor, active)]

    given, query, guarded = list(answers), last.watch(answer), end_forgotten(check, last)
    kept = [jobs]
    for _ in answers:
        kept.append(asyncio.run(collect(kept[-1])))
    return executor, kept[1:]


BOTH, ONE = {"11": "RUNNING", "12": "RUNNING"}, {"11": "RUNNING"}


def test_a_job_left_out_of_three_answers_in_a_row_fails_with_the_reason(jobs):
    executor, kept = looks(jobs, BOTH, ONE, ONE, ONE)
    assert kept == [jobs, jobs, jobs, jobs[:1]]
    assert executor.failed == [(jobs[1], "SLURM does not know job 12 any more; its end is unknown.")]


def test_a_job_that_comes_back_is_kept(jobs):
    executor, kept = looks(jobs, BOTH, ONE, ONE, BOTH, ONE, ONE)
    assert kept[-1] == jobs
    assert executor.failed == []


def test_a_missing_answer_and_a_job_that_is_not_known_yet_are_no_forgotten_jobs(jobs):
    executor, kept = looks(jobs, ONE, ONE, ONE, ONE, None, None, None, BOTH)
    assert kept[-1] == jobs
    assert executor.failed == []


def started(array_jobs):
    """An executor that has read `--slurm-array-jobs`."""

    def start(executor):
        executor.array_jobs = array_jobs

    executor = Executor()
    without_arrays(start)(executor)
    return executor


def test_job_arrays_are_declined_with_a_warning():
    executor = started({"all"})
    assert executor.array_jobs == set()
    (warning,) = executor.warnings
    assert warning.startswith("--slurm-array-jobs has no effect")


def test_nothing_is_said_about_arrays_that_nobody_asked_for():
    assert started(set()).warnings == []


@pytest.mark.parametrize(("group", "printed"), [(True, ["no such node"]), (False, [])], ids=["group", "one job"])
def test_the_reason_is_printed_where_snakemake_drops_it(group, printed):
    executor, errors = Executor(), []
    executor.logger.error = errors.append
    info = SimpleNamespace(job=SimpleNamespace(is_group=lambda: group))
    say_why_a_group_failed(Executor.report_job_error)(executor, info, "no such node")
    assert errors == printed
    assert executor.failed == [(info, "no such node")]
