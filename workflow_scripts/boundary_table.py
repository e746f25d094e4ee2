"""The boundaries' distances by cohort, label, region and approach, beside the DSC."""

from cmrslices.evaluation.boundary_table import write_boundary_table
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_boundary_table(
        boundaries=snakemake.input.boundaries,
        scores=snakemake.input.scores,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        table=snakemake.output.table,
    )
