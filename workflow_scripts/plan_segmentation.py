"""Plan nnU-Net's 2D configuration for the training cohort."""

from cmrslices.runtime.job import job_log
from cmrslices.segmentation.planning import plan_segmentation

with job_log(snakemake.log[0]):
    plan_segmentation(
        images=snakemake.input.images,
        labels=snakemake.input.labels,
        splits=snakemake.input.splits,
        plan=snakemake.params.plan,
        raw=snakemake.output.raw,
        plans=snakemake.output.plans,
        folds=snakemake.output.folds,
        threads=snakemake.threads,
    )
