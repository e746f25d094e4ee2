"""Look for signs in the label maps of one approach and cohort that something is wrong."""

from cmrslices.patients.flags import flag_cohort
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    flag_cohort(
        predictions=snakemake.input.predictions,
        others=snakemake.input.others,
        regions=snakemake.input.regions or None,
        cases=snakemake.input.cases,
        phases=snakemake.input.phases or None,
        limits=snakemake.params.limits,
        raised=snakemake.output.raised,
        scores=snakemake.output.scores,
        threads=snakemake.threads,
    )
