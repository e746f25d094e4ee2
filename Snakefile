# Improved AI-based segmentation of apical and basal slices from clinical cine CMR
# (Mariscal-Harana et al.), as a workflow: section by section.

from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")

# Not workflow.basedir: in a module, that is the folder of the Snakefile that uses the module.
PROJECT = Path(str(workflow.current_basedir))
if not PROJECT.is_dir():
    raise WorkflowError(
        f"{PROJECT} is no folder: clone the repository, and give the path of the clone's Snakefile"
    )


configfile: f"{PROJECT}/config.yaml"


# The text shows the configuration, and in a module Snakemake would fill in that of the caller.
if workflow.modifier.is_main_snakefile():

    report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/demo.smk"  # synthetic patients in native raw layouts
include: "rules/cohorts.smk"  # 3 Datasets: conversion, splits, slice regions
include: "rules/segmentation.smk"  # 2 Baseline, approach 1, region-specific models
include: "rules/classification.smk"  # 2 Approach 2: the slice-region classifier
include: "rules/prediction.smk"  # 2 Approaches: a router and its models
include: "rules/evaluation.smk"  # 3 Experiments 1 and 2: Tables 1-3, Figure 2, boundaries, answers
include: "rules/report.smk"  # what the report shows beside them
include: "rules/patients.smk"  # single patients: ED and ES, volumes, function, quality flags, pictures


rule all:
    input:
        tables=expand(
            RESULTS / "tables/{table}.html",
            table=[
                *if_labelled("table1", *if_trained("table2"), "table3", "boundaries"),
                *if_trained("readings", "reliability", "budget"),
            ],
        ),
        against_paper=expand(
            RESULTS / "tables/{table}_against_paper.csv",
            table=if_labelled("table1", *if_trained("table2"), "table3"),
        ),
        figures=expand(
            RESULTS / "figures/{figure}.html",
            figure=[*if_labelled("figure2"), *if_trained("confusion", "reliability")],
        ),
        function=expand(
            RESULTS / "tables/{table}.html",
            table=if_labelled("cardiac_function", "volume_errors"),
        ),
        bland_altman=expand(RESULTS / "figures/bland_altman/{cohort}.html", cohort=COHORTS),
        answers=if_labelled(RESULTS / "tables/answers.html"),
        forests=expand(RESULTS / "figures/forest/{cohort}.html", cohort=COHORTS),
        gains=expand(
            RESULTS / "figures/training_gain/{cohort}.html",
            cohort=COHORTS if BASELINE in SETTINGS.plain() else [],
        ),
        provenance=RESULTS / "provenance.yaml",
        summaries=expand(
            RESULTS / "report/{name}",
            name=[
                *if_labelled("cohorts.html"),
                *if_trained("segmenter_curves.html", "classifier_curves.html", "timings.html"),
            ],
        ),
        slices=expand(
            RESULTS / "report/{name}",
            name=expand(["examples/{cohort}.html", "worst/{cohort}.html"], cohort=COHORTS),
        ),
        patients=[RESULTS / "patients/function.html"] if NEW_COHORTS else [],
        curves=of_new_patients("curves.html"),
        quality=[
            RESULTS / f"patients/{approach}/{cohort}/qc.html"
            for cohort in [*COHORTS, *NEW_COHORTS]
            for approach in flagged_approaches(cohort)
        ],
    localrule: True
