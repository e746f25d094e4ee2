"""What was trained for each approach, and what it gains over the baseline."""

from cmrslices.report.budget import write_budget
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_budget(
        scores=snakemake.input.scores,
        segmenters=snakemake.input.segmenters,
        histories=dict(zip(snakemake.params.networks, snakemake.input.histories, strict=True)),
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        models=snakemake.params.models,
        classified=snakemake.params.classified,
        controls=snakemake.params.controls,
        scoring=snakemake.params.scoring,
        table=snakemake.output.table,
    )
