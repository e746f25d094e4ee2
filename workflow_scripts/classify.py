"""Region probabilities of every slice of one cohort."""

from cmrslices.classification.inference import classify
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    classify(
        weights=snakemake.input.weights,
        store=snakemake.input.store,
        splits=snakemake.input.splits,
        threads=snakemake.threads,
        probabilities=snakemake.output.probabilities,
    )
