"""Training curves of the segmenters."""

from cmrslices.report.segmenter_curves import write_segmenter_curves
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_segmenter_curves(
        weights=snakemake.input.weights,
        models=snakemake.params.models,
        figure=snakemake.output.figure,
        csv=snakemake.output.csv,
    )
