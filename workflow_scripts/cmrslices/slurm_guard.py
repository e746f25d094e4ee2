"""A guard for Snakemake's SLURM plugin, which can lose sight of a job and then waits for it without end.

The plugin (2.8) forgets its jobs when SLURM does not answer one of its questions, as during a restart of
slurmctld on a cluster without accounting database; and it takes a job that preemption cancelled for one that
SLURM will start again. Nothing here changes how a job is submitted or run.
"""

import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"
Answer = tuple[dict[str, str] | None, float | None]


def guard_slurm() -> None:
    """Guard the plugin, if this process has it."""
    plugin = sys.modules.get(PLUGIN)
    if plugin and not hasattr(plugin, "guarded"):
        plugin.query_job_status = end_preempted(plugin.query_job_status)
        plugin.Executor.check_active_jobs = keep_unsettled(plugin.Executor.check_active_jobs)
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
