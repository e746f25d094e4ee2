"""Table 1: the baseline's DSC by cohort, label and region."""

from cmrslices.evaluation.table1 import write_table1
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_table1(
        scores=snakemake.input.scores,
        cohorts=snakemake.params.cohorts,
        baseline=snakemake.params.baseline,
        scoring=snakemake.params.scoring,
        significance=snakemake.params.significance,
        paper=snakemake.input.paper,
        table=snakemake.output.table,
        against_paper=snakemake.output.against_paper,
    )
