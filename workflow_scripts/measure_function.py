"""ED and ES of every patient of one cohort without labels, their volumes and function, by one approach."""

from cmrslices.cohorts.regions import RegionRule
from cmrslices.patients.function import measure_function
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    measure_function(
        cohort=snakemake.wildcards.cohort,
        approach=snakemake.wildcards.approach,
        title=snakemake.params.title,
        cases=snakemake.input.cases,
        labels=snakemake.input.labels,
        rule=RegionRule(**snakemake.params.regions),
        threads=snakemake.threads,
        function=snakemake.output.function,
        volumes=snakemake.output.volumes,
        figure=snakemake.output.figure,
    )
