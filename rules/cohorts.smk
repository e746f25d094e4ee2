"""3 Datasets: raw cohorts are converted to one layout; patients are split; slices get their regions.

Needs   the cohorts' raw folders (config: cohorts)
Makes   cohorts/{cohort}/images/{case}_0000.nii.gz, labels/{case}.nii.gz, cases.csv,
        splits.csv, slices.csv; of cohorts without labels only images, cases.csv and splits.csv
"""


rule convert_cohort:
    """Convert raw images and labels of one cohort to the common layout, slice 0 at the base."""
    input:
        raw=raw_folder,
    output:
        images=directory(RESULTS / "cohorts/{cohort}/images"),
        labels=directory(RESULTS / "cohorts/{cohort}/labels"),
        cases=RESULTS / "cohorts/{cohort}/cases.csv",
    log:
        RESULTS / "logs/convert_cohort/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/convert_cohort/{cohort}.tsv"
    wildcard_constraints:
        cohort=named(COHORTS),
    conda:
        "../envs/convert.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime="4h",
    params:
        cohort=lambda w: COHORTS[w.cohort],
        raw_names=raw_names,
        code=code_of("convert_cohort"),
    script:
        "../workflow_scripts/convert_cohort.py"


rule convert_images:
    """Convert raw images of one cohort without labels to the common layout: listed phases, or every frame of a cine."""
    input:
        raw=raw_folder,
    output:
        images=directory(RESULTS / "cohorts/{cohort}/images"),
        cases=RESULTS / "cohorts/{cohort}/cases.csv",
    log:
        RESULTS / "logs/convert_images/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/convert_images/{cohort}.tsv"
    wildcard_constraints:
        cohort=named(NEW_COHORTS),
    conda:
        "../envs/convert.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="4h",
    params:
        cohort=lambda w: NEW_COHORTS[w.cohort],
        raw_names=new_raw_names,
        code=code_of("convert_images"),
    script:
        "../workflow_scripts/convert_images.py"


rule split_cohort:
    """Split the patients of the training cohort into train, validation and test; other cohorts are all test."""
    input:
        cases=RESULTS / "cohorts/{cohort}/cases.csv",
    output:
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    log:
        RESULTS / "logs/split_cohort/{cohort}.log",
    localrule: True
    conda:
        "../envs/convert.yaml"
    params:
        splits=lambda w: SETTINGS.splits.model_dump() if w.cohort == TRAINING else None,
        seed=lambda w: None if SETTINGS.splits.fold and w.cohort == TRAINING else SETTINGS.seed,
        code=code_of("split_cohort"),
    script:
        "../workflow_scripts/split_cohort.py"


rule assign_regions:
    """Assign base, middle, apex or non-cardiac to every slice by the reference labels."""
    input:
        cases=RESULTS / "cohorts/{cohort}/cases.csv",
        labels=RESULTS / "cohorts/{cohort}/labels",
    output:
        slices=RESULTS / "cohorts/{cohort}/slices.csv",
    log:
        RESULTS / "logs/assign_regions/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/assign_regions/{cohort}.tsv"
    conda:
        "../envs/convert.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime="1h",
    params:
        **SETTINGS.regions.model_dump(),
        code=code_of("assign_regions"),
    script:
        "../workflow_scripts/assign_regions.py"
