"""Make the cines of the synthetic patients of one cohort without labels, in the raw layout of its format."""

from cmrslices.demo.cines import make_demo_cines
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    make_demo_cines(
        folder=snakemake.output.raw,
        cohort=snakemake.wildcards.cohort,
        raw_format=snakemake.params.format,
        patients=snakemake.params.patients,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
