"""One slice-region classifier, fine-tuned."""

from cmrslices.classification.training import train_classifier
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    train_classifier(
        network=snakemake.wildcards.network,
        store=snakemake.input.store,
        plans=snakemake.input.plans,
        folds=snakemake.input.folds,
        slices=snakemake.input.slices,
        initial=snakemake.input.initial or None,
        training=snakemake.params.training,
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb,
        checkpoint_every=snakemake.resources.checkpoint_every,
        weights=snakemake.output.weights,
        history=snakemake.output.history,
    )
