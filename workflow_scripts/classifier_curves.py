"""Training curves of the classifiers."""

from cmrslices.report.classifier_curves import write_classifier_curves
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_classifier_curves(
        histories=snakemake.input.histories,
        networks=snakemake.params.networks,
        figure=snakemake.output.figure,
    )
