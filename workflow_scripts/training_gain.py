"""Training against gain of one cohort: every approach beside a plain baseline that was trained as long."""

from cmrslices.evaluation.training_gain import write_training_gain
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_training_gain(
        answers=snakemake.input.answers,
        cohort=snakemake.wildcards.cohort,
        title=snakemake.params.title,
        approaches=snakemake.params.approaches,
        plain=snakemake.params.plain,
        scoring=snakemake.params.scoring,
        figure=snakemake.output.figure,
    )
