"""Plan another configuration of nnU-Net, or by another planner, for the models that ask for it."""

from cmrslices.runtime.job import planned_job
from cmrslices.segmentation.planning import plan_variant

with planned_job(snakemake, __file__):
    plan_variant(
        dataset=snakemake.input.raw,
        plan=snakemake.params.plan,
        planner=snakemake.wildcards.planner,
        configuration=snakemake.wildcards.configuration,
        plans=snakemake.output.plans,
    )
