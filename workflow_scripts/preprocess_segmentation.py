"""Preprocess the training cohort once, for every model."""

from cmrslices.runtime.job import job_log
from cmrslices.segmentation.preprocessing import preprocess_segmentation

with job_log(snakemake.log[0]):
    preprocess_segmentation(
        plans=snakemake.input.plans,
        raw=snakemake.input.raw,
        store=snakemake.output.store,
        threads=snakemake.threads,
    )
