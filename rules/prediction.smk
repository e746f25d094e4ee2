"""2 Methods: an approach is a router plus models. The router names the model for every slice.

Needs   trained models, the preprocessed cohorts, the reference regions or those by the classifiers
Makes   predictions/{approach}/{cohort}/labels/{case}.nii.gz and routes.csv
"""


rule predict:
    """Label maps of the test cases of one cohort by one approach, on their native grid."""
    input:
        weights=model_weights,
        regions=router_regions,
        store=approach_store,
        store_3d=approach_store_3d,
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
        approach=lambda w: SETTINGS.approaches[w.approach].model_dump(
            exclude={"title", "reading", "networks"}, exclude_none=True
        ),
        mirroring=SETTINGS.segmentation.mirroring,
        precision=SETTINGS.precision,
        code=code_of("predict"),
    script:
        "../workflow_scripts/predict.py"
