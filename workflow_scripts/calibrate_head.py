"""The temperature of the head of one joint model, on the validation split of the training cohort."""

from cmrslices.classification.calibration import write_calibration
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_calibration(
        networks=[snakemake.wildcards.model],
        probabilities=[snakemake.input.probabilities],
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        calibration=snakemake.output.calibration,
    )
