"""What each quality flag of one approach is worth: how well it finds slices that are segmented badly."""

from cmrslices.patients.flag_worth import write_worth
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_worth(
        flag_scores=snakemake.input.flag_scores,
        scores=snakemake.input.scores,
        cohorts=snakemake.params.cohorts,
        approach=snakemake.params.title,
        limits=snakemake.params.limits,
        table=snakemake.output.table,
    )
