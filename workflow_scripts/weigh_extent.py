"""The region of every slice of one cohort and the weights of all regions, by a model's extent and the classifiers."""

from cmrslices.classification.extent_reading import write_weighed_reading
from cmrslices.cohorts.regions import RegionRule
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_weighed_reading(
        extent=snakemake.input.extent,
        validation_extent=snakemake.input.validation_extent,
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        chosen=snakemake.wildcards.chosen,
        selected=snakemake.input.selected or None,
        networks=snakemake.params.networks,
        probabilities=snakemake.input.probabilities,
        calibration=snakemake.input.calibration,
        rule=RegionRule(**snakemake.params.regions),
        regions=snakemake.output.regions,
    )
