"""Train one segmenter under its slice-sampling policy."""

from cmrslices.runtime.job import planned_job
from cmrslices.segmentation.training import train_segmenter

with planned_job(snakemake, __file__):
    train_segmenter(
        model=snakemake.wildcards.model,
        policy=snakemake.params.policy,
        training=snakemake.params.training,
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        store=snakemake.input.store,
        plans=snakemake.input.plans,
        folds=snakemake.input.folds,
        dataset=snakemake.input.raw,
        slices=snakemake.input.slices,
        weights=snakemake.output.weights,
        threads=snakemake.threads,
        checkpoint_every=snakemake.resources.checkpoint_every,
        starts_from=snakemake.input.starts_from or None,
    )
