"""Table 3: every approach against the baseline; and the false positives."""

from cmrslices.evaluation.table3 import write_table3
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_table3(
        scores=snakemake.input.scores,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        candidates=snakemake.params.candidates,
        scoring=snakemake.params.scoring,
        significance=snakemake.params.significance,
        paper=snakemake.input.paper,
        table=snakemake.output.table,
        against_paper=snakemake.output.against_paper,
        false_positives=snakemake.output.false_positives,
    )
