"""Run time and memory of every job."""

from cmrslices.report.timings import write_timings
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_timings(
        folder=snakemake.params.benchmarks,
        csv=snakemake.output.csv,
        html=snakemake.output.html,
    )
