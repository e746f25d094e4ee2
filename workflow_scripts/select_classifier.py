"""Table 2, and the classifier that routes slices to models."""

from cmrslices.classification.table2 import write_table2
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_table2(
        probabilities=snakemake.input.probabilities,
        networks=snakemake.params.networks,
        slices=snakemake.input.slices,
        splits=snakemake.input.splits,
        select_on=snakemake.params.select_on,
        paper=snakemake.input.paper,
        selected=snakemake.output.selected,
        csv=snakemake.output.csv,
        markdown=snakemake.output.markdown,
        html=snakemake.output.html,
        latex=snakemake.output.latex,
        against_paper=snakemake.output.against_paper,
        against_paper_markdown=snakemake.output.against_paper_markdown,
        against_paper_html=snakemake.output.against_paper_html,
        confusion=snakemake.output.confusion,
        confusion_pdf=snakemake.output.confusion_pdf,
        confusion_html=snakemake.output.confusion_html,
    )
