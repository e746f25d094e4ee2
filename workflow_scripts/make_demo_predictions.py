"""Make the label maps of one approach and demo cohort from the references."""

from cmrslices.demo.predictions import make_demo_predictions
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    make_demo_predictions(
        references=snakemake.input.references,
        kind=snakemake.params.kind,
        seed=snakemake.params.seed,
        folder=snakemake.output.folder,
        threads=snakemake.threads,
    )
