"""ImageNet weights of one network."""

from cmrslices.classification.pretrained import fetch_weights
from cmrslices.runtime.job import job_log

with job_log(snakemake.log[0]):
    fetch_weights(network=snakemake.wildcards.network, file=snakemake.output.weights)
