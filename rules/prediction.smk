"""2 Methods: an approach is a router plus models. The router names the model for every slice.

Needs   trained models, the preprocessed cohorts, the reference regions or those by the classifiers; or given label maps
Makes   predictions/{approach}/{cohort}/labels/{case}.nii.gz and, of approaches with models, routes.csv
"""


rule predict:
    """Label maps of the test cases of one cohort by one approach, on their native grid."""
    input:
        weights=model_weights,
        regions=router_regions,
        store=rules.preprocess_cohort.output.store,
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        labels=directory(RESULTS / "predictions/{approach}/{cohort}/labels"),
        routes=RESULTS / "predictions/{approach}/{cohort}/routes.csv",
    log:
        RESULTS / "logs/predict/{approach}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/predict/{approach}/{cohort}.tsv"
    wildcard_constraints:
        approach="|".join(ROUTED) or "(?!)",  # without names, nothing fits
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


if GIVEN:

    rule read_predictions:
        """Label maps that any segmenter has made of the test cases of one cohort, checked and on the converted grid."""
        input:
            folder=given_folder,
            cases=RESULTS / "cohorts/{cohort}/cases.csv",
            splits=RESULTS / "cohorts/{cohort}/splits.csv",
            references=RESULTS / "cohorts/{cohort}/labels",
        output:
            labels=directory(RESULTS / "predictions/{approach}/{cohort}/labels"),
        log:
            RESULTS / "logs/read_predictions/{approach}/{cohort}.log",
        benchmark:
            RESULTS / "benchmarks/read_predictions/{approach}/{cohort}.tsv"
        wildcard_constraints:
            approach="|".join(GIVEN),
        conda:
            "../envs/convert.yaml"
        threads: 4
        resources:
            mem_mb=lambda wildcards, attempt: 2000 * attempt,
            runtime="1h",
        params:
            names=lambda w: SETTINGS.approaches[w.approach].names,
            label_map=lambda w: SETTINGS.approaches[w.approach].label_map.model_dump(),
            files=given_files,
            code=code_of("read_predictions"),
        script:
            "../workflow_scripts/read_predictions.py"
