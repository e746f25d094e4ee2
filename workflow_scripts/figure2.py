"""Figure 2: the DSC of every approach from base to apex."""

from cmrslices.evaluation.figure2 import write_figure2
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_figure2(
        scores=snakemake.input.scores,
        approaches=snakemake.params.approaches,
        points=snakemake.params.points,
        figure=snakemake.output.figure,
        csv=snakemake.output.csv,
    )
