"""The region of every slice of one cohort and the weights of all regions, by one reading of the classifiers."""

from cmrslices.classification.readings import write_classifier_reading
from cmrslices.cohorts.regions import RegionRule
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_classifier_reading(
        reading=snakemake.wildcards.reading,
        chosen=snakemake.wildcards.chosen,
        selected=snakemake.input.selected or None,
        networks=snakemake.params.networks,
        probabilities=snakemake.input.probabilities,
        calibration=snakemake.input.calibration,
        rule=RegionRule(**snakemake.params.regions),
        regions=snakemake.output.regions,
    )
