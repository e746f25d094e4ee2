"""Convert raw images and labels of one cohort to the common layout, slice 0 at the base."""

from pathlib import Path

from cmrslices.cohorts.convert.cohort import convert_cohort
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    convert_cohort(
        name=snakemake.wildcards.cohort,
        cohort=snakemake.params.cohort,
        images=snakemake.output.images,
        labels=snakemake.output.labels,
        cases=snakemake.output.cases,
        finished=Path(snakemake.output.cases).with_name("finished"),
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
