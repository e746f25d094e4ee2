"""Region probabilities of every slice of one cohort."""

from cmrslices.classification.inference import classify
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    classify(
        weights=snakemake.input.weights,
        store=snakemake.input.store,
        splits=snakemake.input.splits,
        threads=snakemake.threads,
        probabilities=snakemake.output.probabilities,
    )
