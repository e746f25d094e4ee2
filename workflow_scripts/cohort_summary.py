"""The cohorts in numbers."""

from cmrslices.report.cohorts import write_cohort_summary
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_cohort_summary(
        cohorts=snakemake.params.cohorts,
        cases=snakemake.input.cases,
        splits=snakemake.input.splits,
        slices=snakemake.input.slices,
        labels=snakemake.input.labels,
        counts=snakemake.output.counts,
        left_out=snakemake.output.left_out,
        findings=snakemake.output.findings,
        html=snakemake.output.html,
    )
