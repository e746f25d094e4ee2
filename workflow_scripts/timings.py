"""Run time and memory of every job."""

from cmrslices.job import job_log
from cmrslices.report.timings import write_timings

with job_log(snakemake.log[0]):
    write_timings(
        folder=snakemake.params.benchmarks,
        csv=snakemake.output.csv,
        html=snakemake.output.html,
    )
