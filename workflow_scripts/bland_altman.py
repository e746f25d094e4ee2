"""The Bland-Altman page of a cohort."""

from cmrslices.evaluation.bland_altman import write_bland_altman
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_bland_altman(
        scores=snakemake.input.scores,
        cases=snakemake.input.cases,
        cohort=snakemake.wildcards.cohort,
        title=snakemake.params.title,
        approaches=snakemake.params.approaches,
        literature=snakemake.input.literature,
        figure=snakemake.output.figure,
    )
