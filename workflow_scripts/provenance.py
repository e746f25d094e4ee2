"""Write what made the results."""

from cmrslices.runtime.job import planned_job
from cmrslices.runtime.provenance import write_provenance

with planned_job(snakemake, __file__):
    write_provenance(settings=snakemake.params.settings, path=snakemake.output[0])
