"""A guard for Snakemake's SLURM plugin, which can lose sight of a job and then waits for it without end.

The plugin (2.8)

- forgets its jobs when SLURM does not answer one of its questions, as during a restart of slurmctld on a cluster
  without accounting database,
- takes a job that preemption cancelled for one that SLURM will start again,
- takes a job that SLURM has forgotten for one that still runs,
- forgets jobs that it should have submitted as a job array (see `without_arrays`).

Snakemake drops the reason for which a group of jobs failed.
"""

import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"
FORGOTTEN_AFTER = 3
Answer = tuple[dict[str, str] | None, float | None]


def guard_slurm() -> None:
    """Guard the plugin, if this process has it."""
    plugin: Any = sys.modules.get(PLUGIN)
    if plugin and not hasattr(plugin, "guarded"):
        last = LastAnswer()
        plugin.query_job_status = last.watch(end_preempted(plugin.query_job_status))
        plugin.Executor.check_active_jobs = end_forgotten(keep_unsettled(plugin.Executor.check_active_jobs), last)
        plugin.Executor.__post_init__ = without_arrays(plugin.Executor.__post_init__)
        plugin.Executor.report_job_error = say_why_a_group_failed(plugin.Executor.report_job_error)
        plugin.guarded = True


def keep_unsettled(check: Callable[..., AsyncIterator]) -> Callable[..., AsyncIterator]:
    """Keep each job that a check neither reports as ended nor hands back as running, and say so.

    Parameters
    ----------
    check : async generator method
        An executor's `check_active_jobs`: takes jobs, yields those that still run.
    """

    @functools.wraps(check)
    async def guarded(executor: Any, active_jobs: list) -> AsyncIterator:
        settled = []
        success, error = executor.report_job_success, executor.report_job_error

        def reported(report: Callable[..., None]) -> Callable[..., None]:
            def note(job: Any, *arguments: Any, **options: Any) -> None:
                settled.append(job)
                report(job, *arguments, **options)

            return note

        executor.report_job_success, executor.report_job_error = reported(success), reported(error)
        try:
            async for job in check(executor, active_jobs):
                settled.append(job)
                yield job
        finally:
            executor.report_job_success, executor.report_job_error = success, error
        lost = [job for job in active_jobs if not any(job is other for other in settled)]
        if lost:
            ids = ", ".join(job.external_jobid for job in lost)
            executor.logger.warning(f"SLURM does not answer; asking again for the state of the jobs {ids}.")
        for job in lost:
            yield job

    return guarded


def end_preempted(query: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
    """Let a job that is PREEMPTED in two answers in a row count as CANCELLED, so that it is submitted again.

    A job that SLURM requeues after preemption is PENDING by the second answer.
    """
    preempted: set[str] = set()

    @functools.wraps(query)
    async def guarded(*arguments: Any) -> Answer:
        states, seconds = await query(*arguments)
        if states is None:
            return states, seconds
        now = {job for job, state in states.items() if state == "PREEMPTED"}
        final = now & preempted
        preempted.clear()
        preempted.update(now)
        return states | dict.fromkeys(final, "CANCELLED"), seconds

    return guarded


class LastAnswer:
    """The states of the jobs in SLURM's last answer; None if it did not answer."""

    def __init__(self) -> None:
        self.states: dict[str, str] | None = None

    def watch(self, query: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        """The same query; its answers are also kept here."""

        @functools.wraps(query)
        async def guarded(*arguments: Any) -> Answer:
            self.states, seconds = await query(*arguments)
            return self.states, seconds

        return guarded


def end_forgotten(check: Callable[..., AsyncIterator], last: LastAnswer) -> Callable[..., AsyncIterator]:
    """Let a job fail that SLURM has known and leaves out of `FORGOTTEN_AFTER` answers in a row, so that it is retried.

    SLURM forgets ended jobs after MinJobAge, and all jobs when the controller loses its state.

    Parameters
    ----------
    check : async generator method
        An executor's `check_active_jobs`: takes jobs, yields those that still run.
    last : LastAnswer
        What SLURM answered during the check.
    """
    left_out: dict[str, int] = {}

    @functools.wraps(check)
    async def guarded(executor: Any, active_jobs: list) -> AsyncIterator:
        async for job in check(executor, active_jobs):
            number = job.external_jobid
            if last.states is not None and number in last.states:
                left_out[number] = 0
            elif last.states is not None and number in left_out:
                left_out[number] += 1
            if left_out.get(number, 0) < FORGOTTEN_AFTER:
                yield job
            else:
                executor.report_job_error(job, msg=f"SLURM does not know job {number} any more; its end is unknown.")

    return guarded


def without_arrays(start: Callable[..., None]) -> Callable[..., None]:
    """Let the plugin submit each job by itself, also where `--slurm-array-jobs` asks for job arrays, and say so.

    The plugin holds jobs back until all ready jobs of their rule have been handed over to it, and never submits them
    where a limit on `gpu` or `jobs` keeps some away (its issue 473). Submitted arrays are no better: each job also
    checks the outputs of the first job of its array, and fails where that one runs longer. All jobs of an array get
    the memory of the first one, so that a second try gets no more than the first, and `sacct` is asked for numbers
    that the plugin does not know.

    Parameters
    ----------
    start : method
        An executor's `__post_init__`, which reads the option into `array_jobs`.
    """

    @functools.wraps(start)
    def guarded(executor: Any, *arguments: Any, **options: Any) -> None:
        start(executor, *arguments, **options)
        if executor.array_jobs:
            executor.array_jobs = set()
            executor.logger.warning(
                "--slurm-array-jobs has no effect: each job is submitted by itself, because the SLURM plugin loses "
                "jobs of an array, and takes finished ones for failed (docs/cluster.md)."
            )

    return guarded


def say_why_a_group_failed(report: Callable[..., None]) -> Callable[..., None]:
    """Print why a group of jobs failed, such as sbatch's reason to refuse it; Snakemake prints that only for one job.

    Parameters
    ----------
    report : method
        An executor's `report_job_error`.
    """

    @functools.wraps(report)
    def guarded(executor: Any, info: Any, msg: str | None = None, **options: Any) -> None:
        if msg and info.job.is_group():
            executor.logger.error(msg)
        report(executor, info, msg, **options)

    return guarded
