"""ImageNet weights of one network."""

from cmrslices.classification.pretrained import fetch_weights
from cmrslices.runtime.job import planned_job

with planned_job(snakemake, __file__):
    fetch_weights(network=snakemake.wildcards.network, file=snakemake.output.weights)
