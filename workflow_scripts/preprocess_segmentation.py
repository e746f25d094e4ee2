"""Preprocess the training cohort once, for every model."""

from cmrslices.runtime.job import planned_job
from cmrslices.segmentation.preprocessing import preprocess_segmentation

with planned_job(snakemake, __file__):
    preprocess_segmentation(
        plans=snakemake.input.plans,
        raw=snakemake.input.raw,
        store=snakemake.output.store,
        threads=snakemake.threads,
    )
