"""How far the classifiers' probabilities can be believed, before and after calibration."""

from cmrslices.classification.reliability import write_reliability
from cmrslices.cohorts.regions import RegionRule
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_reliability(
        networks=snakemake.params.networks,
        probabilities=snakemake.input.probabilities,
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        calibration=snakemake.input.calibration,
        select_on=snakemake.params.select_on,
        rule=RegionRule(**snakemake.params.regions),
        table=snakemake.output.table,
        figure=snakemake.output.figure,
        heads=snakemake.params.get("heads", []),  # the param is only there where a head is read
        head_probabilities=snakemake.input.heads,
        head_calibrations=snakemake.input.head_calibrations,
    )
