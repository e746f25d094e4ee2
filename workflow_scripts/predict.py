"""Segment the test cases of one cohort by one approach."""

from cmrslices.prediction.cohort import predict_cohort
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    predict_cohort(
        approach=snakemake.params.approach,
        weights=snakemake.input.weights,
        regions=snakemake.input.regions or None,
        store=snakemake.input.store or None,
        store_3d=snakemake.input.store_3d or None,
        splits=snakemake.input.splits,
        mirroring=snakemake.params.mirroring,
        precision=snakemake.params.precision,
        threads=snakemake.threads,
        labels=snakemake.output.labels,
        routes=snakemake.output.routes,
    )
