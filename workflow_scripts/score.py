"""Score the predictions of one approach on one cohort."""

from cmrslices.evaluation.scores import score_cohort
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    score_cohort(
        predictions=snakemake.input.predictions,
        references=snakemake.input.references,
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        scores=snakemake.output.scores,
        cohort=snakemake.wildcards.cohort,
        approach=snakemake.wildcards.approach,
        threads=snakemake.threads,
    )
