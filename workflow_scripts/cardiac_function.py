"""Cardiac function: agreement with the reference, errors by region and by approach, and every patient."""

from cmrslices.evaluation.function_tables import write_cardiac_function
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_cardiac_function(
        scores=snakemake.input.scores,
        cases=snakemake.input.cases,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        primary=snakemake.params.primary,
        literature=snakemake.input.literature,
        table=snakemake.output.table,
        errors=snakemake.output.errors,
        changes=snakemake.output.changes,
        patients=snakemake.output.patients,
    )
