"""The cases of one cohort that the baseline segments worst, by region."""

from cmrslices.labels import REGIONS
from cmrslices.report.pictures import write_worst_cases
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_worst_cases(
        scores=snakemake.input.scores,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        images=snakemake.input.images,
        references=snakemake.input.references,
        predictions=snakemake.input.predictions,
        title=snakemake.params.title,
        csv=snakemake.output.csv,
        html=snakemake.output.html,
        pictures={region: snakemake.output[region] for region in REGIONS},
    )
