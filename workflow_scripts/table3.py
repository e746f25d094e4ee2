"""Table 3: every approach against the baseline; and the false positives."""

from cmrslices.evaluation.table3 import write_table3
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_table3(
        scores=snakemake.input.scores,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        candidates=snakemake.params.candidates,
        significance=snakemake.params.significance,
        paper=snakemake.input.paper,
        csv=snakemake.output.csv,
        markdown=snakemake.output.markdown,
        html=snakemake.output.html,
        latex=snakemake.output.latex,
        false_positives_csv=snakemake.output.false_positives,
        false_positives_markdown=snakemake.output.false_positives_markdown,
        false_positives_html=snakemake.output.false_positives_html,
        against_paper=snakemake.output.against_paper,
        against_paper_markdown=snakemake.output.against_paper_markdown,
        against_paper_html=snakemake.output.against_paper_html,
    )
