"""The region of every slice of one cohort and the weights of all regions, by one reading of a joint model's head."""

from cmrslices.classification.readings import write_classifier_reading
from cmrslices.cohorts.regions import RegionRule
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_classifier_reading(
        reading=snakemake.wildcards.reading,
        chosen="all",  # the mean of all is the head itself, because it is the only one
        selected=None,
        networks=[snakemake.wildcards.model],
        probabilities=[snakemake.input.probabilities],
        calibration=snakemake.input.calibration,
        rule=RegionRule(**snakemake.params.regions),
        regions=snakemake.output.regions,
    )
