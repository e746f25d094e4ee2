"""The function of all new patients, of every cohort without labels and every approach, in one table."""

from cmrslices.patients.table import write_patients
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_patients(
        functions=snakemake.input.functions,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        table=snakemake.output.table,
    )
