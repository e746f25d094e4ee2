"""Plan nnU-Net's 2D configuration for the training cohort."""

from cmrslices.runtime.job import planned_job
from cmrslices.segmentation.planning import plan_segmentation

with planned_job(snakemake, __file__):
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
