"""Training curves of the classifiers."""

from cmrslices.report.classifier_curves import write_classifier_curves
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_classifier_curves(
        histories=snakemake.input.histories,
        networks=snakemake.params.networks,
        figure=snakemake.output.figure,
    )
