"""Segment the test cases of one cohort with a bundle."""

from cmrslices.prediction.bundle_prediction import predict_bundled
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    predict_bundled(
        bundle=snakemake.input.bundle,
        store=snakemake.input.store,
        splits=snakemake.input.splits,
        threads=snakemake.threads,
        labels=snakemake.output.labels,
        routes=snakemake.output.routes,
        record=snakemake.output.bundle,
    )
