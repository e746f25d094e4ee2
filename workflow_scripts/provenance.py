"""Write what made the results."""

from cmrslices.runtime.job import job_log
from cmrslices.runtime.provenance import write_provenance

with job_log(snakemake.log[0]):
    write_provenance(settings=snakemake.params.settings, path=snakemake.output[0])
