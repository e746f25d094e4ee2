"""Preprocess the test cases of one cohort by the plans of a bundle."""

from cmrslices.prediction.bundle_preprocessing import preprocess_bundled
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    preprocess_bundled(
        bundle=snakemake.input.bundle,
        images=snakemake.input.images,
        splits=snakemake.input.splits,
        threads=snakemake.threads,
        store=snakemake.output.store,
    )
