"""Figure 2: the DSC of every approach from base to apex."""

from cmrslices.evaluation.figure2 import write_figure2
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_figure2(
        scores=snakemake.input.scores,
        approaches=snakemake.params.approaches,
        points=snakemake.params.points,
        png=snakemake.output.png,
        pdf=snakemake.output.pdf,
        csv=snakemake.output.csv,
        html=snakemake.output.html,
    )
