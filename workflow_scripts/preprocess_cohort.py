"""Preprocess the validation and test cases of one cohort, for the classifiers and every approach."""

from cmrslices.runtime.job import job_log
from cmrslices.segmentation.preprocessing import preprocess_cohort

with job_log(snakemake.log[0]):
    preprocess_cohort(
        plans=snakemake.input.plans,
        dataset=snakemake.input.raw,
        images=snakemake.input.images,
        splits=snakemake.input.splits,
        threads=snakemake.threads,
        store=snakemake.output.store,
    )
