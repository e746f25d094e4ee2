"""Measure the boundaries that one approach predicts on one cohort."""

from cmrslices.evaluation.boundaries import measure_cohort
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    measure_cohort(
        predictions=snakemake.input.predictions,
        references=snakemake.input.references,
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        boundaries=snakemake.output.boundaries,
        cohort=snakemake.wildcards.cohort,
        approach=snakemake.wildcards.approach,
        threads=snakemake.threads,
    )
