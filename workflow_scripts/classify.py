"""Region probabilities of every slice of one cohort."""

from cmrslices.classification.inference import classify
from cmrslices.job import job_log

with job_log(snakemake.log[0]):
    classify(
        weights=snakemake.input.weights,
        plans=snakemake.input.plans,
        dataset=snakemake.input.raw,
        images=snakemake.input.images,
        splits=snakemake.input.splits,
        threads=snakemake.threads,
        probabilities=snakemake.output.probabilities,
    )
