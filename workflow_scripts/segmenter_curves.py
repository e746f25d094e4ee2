"""Training curves of the segmenters."""

from cmrslices.report.segmenter_curves import write_segmenter_curves
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_segmenter_curves(
        weights=snakemake.input.weights,
        models=snakemake.params.models,
        html=snakemake.output.html,
        png=snakemake.output.png,
        pdf=snakemake.output.pdf,
        csv=snakemake.output.csv,
    )
