"""Example slices of one cohort, with reference and predictions."""

from cmrslices.report.pictures import write_examples
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_examples(
        scores=snakemake.input.scores,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        images=snakemake.input.images,
        references=snakemake.input.references,
        predictions=snakemake.input.predictions,
        title=snakemake.params.title,
        html=snakemake.output.html,
        png=snakemake.output.png,
    )
