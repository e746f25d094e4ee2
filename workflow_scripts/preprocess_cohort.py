"""Preprocess the validation and test cases of one cohort, for the classifiers and every approach."""

from cmrslices.runtime.job import planned_job
from cmrslices.segmentation.preprocessing import preprocess_cohort

with planned_job(snakemake, __file__):
    preprocess_cohort(
        plans=snakemake.input.plans,
        dataset=snakemake.input.raw,
        images=snakemake.input.images,
        splits=snakemake.input.splits,
        threads=snakemake.threads,
        store=snakemake.output.store,
    )
