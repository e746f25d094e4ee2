"""Take the label maps that a segmenter has made of one cohort."""

from cmrslices.prediction.given import read_predictions
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    read_predictions(
        folder=snakemake.input.folder,
        names=snakemake.params.names,
        label_map=snakemake.params.label_map,
        approach=snakemake.wildcards.approach,
        cohort=snakemake.wildcards.cohort,
        cases=snakemake.input.cases,
        splits=snakemake.input.splits,
        references=snakemake.input.references,
        labels=snakemake.output.labels,
        threads=snakemake.threads,
    )
