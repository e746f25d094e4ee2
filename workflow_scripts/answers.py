"""What the numbers say, with intervals over patients, and the paper's cells beside it."""

from cmrslices.evaluation.answer_files import write_answers
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_answers(
        scores=snakemake.input.scores,
        regions=snakemake.input.regions,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        routers=snakemake.params.routers,
        table1=snakemake.input.table1,
        table3=snakemake.input.table3,
        table=snakemake.output.table,
        against_paper=snakemake.output.against_paper,
    )
