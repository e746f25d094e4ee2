"""Region probabilities of every slice of one cohort by the head of one joint model."""

from cmrslices.prediction.heads import name_regions
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    name_regions(
        weights=snakemake.input.weights,
        store=snakemake.input.store,
        splits=snakemake.input.splits,
        mirroring=snakemake.params.mirroring,
        precision=snakemake.params.precision,
        threads=snakemake.threads,
        probabilities=snakemake.output.probabilities,
    )
