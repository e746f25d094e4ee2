"""Split the patients of the training cohort into train, validation and test; other cohorts are all test."""

from cmrslices.cohorts.splits import split_cohort
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    split_cohort(
        cases=snakemake.input.cases,
        splits=snakemake.output.splits,
        sizes=snakemake.params.splits,
        seed=snakemake.params.seed,
    )
