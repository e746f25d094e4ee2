"""2 Methods: an approach is a router plus models. The router names the model for every slice.

Needs   trained models, the preprocessed cohorts, the reference regions or those by classifiers, a model's extent or the
        head of a joint model; or given label maps; or bundles of approaches that another run has trained
Makes   predictions/{approach}/{cohort}/labels/{case}.nii.gz and, of approaches with models, routes.csv;
        extents/{model}/{cohort}.csv, heads/{model}/{cohort}.csv, bundles/{approach}/{cohort}
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


rule name_regions:
    """Region probabilities by the head of one joint model, of every slice of one cohort's validation and test cases."""
    input:
        weights=MODEL_WEIGHTS,
        store=RESULTS / "cohorts/{cohort}/preprocessed",
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        probabilities=RESULTS / "heads/{model}/{cohort}.csv",
    log:
        RESULTS / "logs/name_regions/{model}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/name_regions/{model}/{cohort}.tsv"
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
        code=code_of("name_regions"),
    script:
        "../workflow_scripts/name_regions.py"


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


if BUNDLED:

    rule preprocess_bundled:
        """Validation and test cases of one cohort, preprocessed by the plans of one bundle, after a check of the bundle."""
        input:
            bundle=bundle_folder,
            images=RESULTS / "cohorts/{cohort}/images",
            splits=RESULTS / "cohorts/{cohort}/splits.csv",
        output:
            store=directory(RESULTS / "bundles/{approach}/{cohort}"),
        log:
            RESULTS / "logs/preprocess_bundled/{approach}/{cohort}.log",
        benchmark:
            RESULTS / "benchmarks/preprocess_bundled/{approach}/{cohort}.tsv"
        wildcard_constraints:
            approach="|".join(BUNDLED),
        conda:
            "../envs/train.yaml"
        threads: 8
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime="4h",
        params:
            bundle=bundle_digest,
            code=code_of("preprocess_bundled"),
        script:
            "../workflow_scripts/preprocess_bundled.py"

    rule predict_bundled:
        """Label maps of the test cases of one cohort by the models of one bundle, after a check of the bundle."""
        input:
            bundle=bundle_folder,
            store=rules.preprocess_bundled.output.store,
            splits=RESULTS / "cohorts/{cohort}/splits.csv",
        output:
            labels=directory(RESULTS / "predictions/{approach}/{cohort}/labels"),
            routes=RESULTS / "predictions/{approach}/{cohort}/routes.csv",
            bundle=RESULTS / "predictions/{approach}/{cohort}/bundle.yaml",
        log:
            RESULTS / "logs/predict_bundled/{approach}/{cohort}.log",
        benchmark:
            RESULTS / "benchmarks/predict_bundled/{approach}/{cohort}.tsv"
        wildcard_constraints:
            approach="|".join(BUNDLED),
        conda:
            "../envs/train.yaml"
        threads: 8
        resources:
            gpu=1,
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime="4h",
        params:
            bundle=bundle_digest,
            code=code_of("predict_bundled"),
        script:
            "../workflow_scripts/predict_bundled.py"
