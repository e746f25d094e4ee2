"""Figure 2: the DSC of every approach from base to apex."""

from cmrslices.evaluation.figure2 import write_figure2
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_figure2(
        scores=snakemake.input.scores,
        approaches=snakemake.params.approaches,
        points=snakemake.params.points,
        figure=snakemake.output.figure,
        csv=snakemake.output.csv,
    )
