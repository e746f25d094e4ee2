"""2 Methods: an approach is a router plus models. The router names the model for every slice.

Needs   trained models, the preprocessed cohorts, the reference regions or those by classifiers or a model's extent
Makes   predictions/{approach}/{cohort}/labels/{case}.nii.gz and routes.csv, extents/{model}/{cohort}.csv
"""


rule find_extent:
    """The slices of one cohort's validation and test cases in which one model finds a label; no label map is kept."""
    input:
        weights=MODEL_WEIGHTS,
        store=lambda w: cohort_store(w.cohort, [w.model]),
        store_3d=lambda w: cohort_store_3d(w.cohort, [w.model]),
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        extent=RESULTS / "extents/{model}/{cohort}.csv",
    log:
        RESULTS / "logs/find_extent/{model}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/find_extent/{model}/{cohort}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="4h",
    params:
        mirroring=SETTINGS.segmentation.mirroring,
        precision=SETTINGS.precision,
        code=code_of("find_extent"),
    script:
        "../workflow_scripts/find_extent.py"


rule predict:
    """Label maps of the test cases of one cohort by one approach, on their native grid."""
    input:
        weights=model_weights,
        regions=router_regions,
        store=lambda w: cohort_store(w.cohort, SETTINGS.approaches[w.approach].models_used()),
        store_3d=lambda w: cohort_store_3d(w.cohort, SETTINGS.approaches[w.approach].models_used()),
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        labels=directory(RESULTS / "predictions/{approach}/{cohort}/labels"),
        routes=RESULTS / "predictions/{approach}/{cohort}/routes.csv",
    log:
        RESULTS / "logs/predict/{approach}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/predict/{approach}/{cohort}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="4h",
    params:
        approach=lambda w: SETTINGS.approaches[w.approach].routing(),
        mirroring=SETTINGS.segmentation.mirroring,
        precision=SETTINGS.precision,
        code=code_of("predict"),
    script:
        "../workflow_scripts/predict.py"
