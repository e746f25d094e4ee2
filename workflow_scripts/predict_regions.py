"""The region of every slice of one cohort, by the selected network."""

from cmrslices.classification.probabilities import write_selected_regions
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_selected_regions(
        selected=snakemake.input.selected,
        networks=snakemake.params.networks,
        probabilities=snakemake.input.probabilities,
        regions=snakemake.output.regions,
    )
