"""What the numbers say, with intervals over patients, and the paper's cells beside it."""

from cmrslices.evaluation.answer_files import write_answers
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_answers(
        scores=snakemake.input.scores,
        regions=snakemake.input.regions,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        bounds=snakemake.params.bounds,
        trained_slices=snakemake.params.trained_slices,
        controls=snakemake.params.controls,
        primary=snakemake.params.primary,
        cases=snakemake.input.cases,
        scoring=snakemake.params.scoring,
        margin=snakemake.params.margin,
        table1=snakemake.input.table1,
        table3=snakemake.input.table3,
        table=snakemake.output.table,
        against_paper=snakemake.output.against_paper,
    )
