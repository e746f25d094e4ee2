"""Forest plot of one cohort: gap and changes with their intervals."""

from cmrslices.evaluation.forest import write_forest
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_forest(
        answers=snakemake.input.answers,
        cohort=snakemake.wildcards.cohort,
        title=snakemake.params.title,
        approaches=snakemake.params.approaches,
        scoring=snakemake.params.scoring,
        margin=snakemake.params.margin,
        figure=snakemake.output.figure,
    )
