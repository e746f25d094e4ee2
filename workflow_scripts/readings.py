"""How many slices get the right region: by each reading of classifiers and extents, and by a rule without an image."""

from cmrslices.classification.readings_table import write_readings
from cmrslices.cohorts.regions import RegionRule
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_readings(
        selected=snakemake.input.selected,
        probabilities=snakemake.input.probabilities,
        networks=snakemake.params.networks,
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        extents=snakemake.input.extents,
        models=snakemake.params.models,
        cohorts=snakemake.params.cohorts,
        rule=RegionRule(**snakemake.params.regions),
        table=snakemake.output.table,
        heads=snakemake.params.get("heads", []),  # the param is only there where a head is read
        head_probabilities=snakemake.input.heads,
    )
