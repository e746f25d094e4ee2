"""Make the synthetic patients of one cohort, with the scanners and the raw layout of its format."""

from cmrslices.demo.cohorts import make_demo_cohort
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    make_demo_cohort(
        folder=snakemake.output.raw,
        cohort=snakemake.wildcards.cohort,
        raw_format=snakemake.params.format,
        patients=snakemake.params.patients,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
