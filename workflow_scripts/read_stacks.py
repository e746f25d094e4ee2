"""The region of every slice of one cohort, by a reading that is not the paper's."""

from cmrslices.classification.readings import write_regions_by_reading
from cmrslices.cohorts.regions import RegionRule
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_regions_by_reading(
        reading=snakemake.wildcards.reading,
        chosen=snakemake.wildcards.chosen,
        selected=snakemake.input.selected or None,
        networks=snakemake.params.networks,
        probabilities=snakemake.input.probabilities,
        rule=RegionRule(**snakemake.params.regions),
        regions=snakemake.output.regions,
    )
