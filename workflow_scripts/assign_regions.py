"""Base, middle, apex or non-cardiac for every slice, from the reference labels."""

from cmrslices.job import job_log
from cmrslices.regions import assign_regions

with job_log(snakemake.log[0]):
    assign_regions(
        cases=snakemake.input.cases,
        labels=snakemake.input.labels,
        slices=snakemake.output.slices,
        base=snakemake.params.base,
        apex=snakemake.params.apex,
        threads=snakemake.threads,
    )
