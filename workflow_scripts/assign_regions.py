"""Assign base, middle, apex or non-cardiac to every slice by the reference labels."""

from cmrslices.cohorts.regions import RegionRule, assign_regions
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    assign_regions(
        cases=snakemake.input.cases,
        labels=snakemake.input.labels,
        slices=snakemake.output.slices,
        rule=RegionRule(**{key: value for key, value in snakemake.params.items() if key != "code"}),
        threads=snakemake.threads,
    )
