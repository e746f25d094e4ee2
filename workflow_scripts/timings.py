"""Run time and memory of every job."""

from cmrslices.report.timings import write_timings
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_timings(
        folder=snakemake.params.benchmarks,
        segmenters=snakemake.input.segmenters,
        histories=dict(zip(snakemake.params.networks, snakemake.input.histories, strict=True)),
        csv=snakemake.output.csv,
        html=snakemake.output.html,
    )
