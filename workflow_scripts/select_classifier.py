"""Table 2, and the classifier that routes slices to models."""

from cmrslices.classification.table2 import write_table2
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    write_table2(
        probabilities=snakemake.input.probabilities,
        networks=snakemake.params.networks,
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        select_on=snakemake.params.select_on,
        paper=snakemake.input.paper,
        selected=snakemake.output.selected,
        table=snakemake.output.table,
        against_paper=snakemake.output.against_paper,
        confusion=snakemake.output.confusion,
    )
