"""Convert the images of one cohort without labels to the common layout, slice 0 at the base."""

from pathlib import Path

from cmrslices.cohorts.unlabelled.cohort import convert_images
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    convert_images(
        name=snakemake.wildcards.cohort,
        cohort=snakemake.params.cohort,
        images=snakemake.output.images,
        cases=snakemake.output.cases,
        finished=Path(snakemake.output.cases).with_name("finished"),
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
