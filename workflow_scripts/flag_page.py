"""The patients of one approach and cohort with their quality flags, the worst first."""

from cmrslices.patients.flag_pages import write_page
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_page(
        raised=snakemake.input.raised,
        scores=snakemake.input.scores,
        worth=snakemake.input.worth or None,
        limits=snakemake.params.limits,
        images=snakemake.input.images,
        predictions=snakemake.input.predictions,
        approach=snakemake.params.approach,
        cohort=snakemake.params.cohort,
        html=snakemake.output.html,
        threads=snakemake.threads,
    )
