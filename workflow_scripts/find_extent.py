"""The slices of the validation and test cases of one cohort in which one model finds a label."""

from cmrslices.prediction.extent import find_extent
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    find_extent(
        model=snakemake.wildcards.model,
        weights=snakemake.input.weights,
        store=snakemake.input.store or None,
        store_3d=snakemake.input.store_3d or None,
        splits=snakemake.input.splits,
        mirroring=snakemake.params.mirroring,
        precision=snakemake.params.precision,
        threads=snakemake.threads,
        extent=snakemake.output.extent,
    )
