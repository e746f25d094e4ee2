"""What the numbers say, with intervals over patients, and the paper's cells beside it."""

from cmrslices.evaluation.answer_files import write_answers
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    write_answers(
        scores=snakemake.input.scores,
        regions=snakemake.input.regions,
        cohorts=snakemake.params.cohorts,
        approaches=snakemake.params.approaches,
        baseline=snakemake.params.baseline,
        routers=snakemake.params.routers,
        table1=snakemake.input.table1,
        table3=snakemake.input.table3,
        csv=snakemake.output.csv,
        markdown=snakemake.output.markdown,
        html=snakemake.output.html,
        against_paper=snakemake.output.against_paper,
        against_paper_markdown=snakemake.output.against_paper_markdown,
        against_paper_html=snakemake.output.against_paper_html,
    )
