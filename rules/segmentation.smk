"""2 Methods: one store of preprocessed cases. The baseline, the levels of batch sampling and the region-specific
segmenters differ only in how often each slice of it is drawn; controls also in epochs, seed or starting weights.

Needs   cohorts/{training cohort}: images, labels, splits.csv, slices.csv; images of the cohorts to segment
Makes   nnunet/preprocessed (store, plans), cohorts/{cohort}/preprocessed, nnunet/results/.../fold_0/checkpoint_final.pth
"""


rule plan_segmentation:
    """nnU-Net's data set, fingerprint and 2D plan of the training and validation cases."""
    input:
        images=RESULTS / f"cohorts/{TRAINING}/images",
        labels=RESULTS / f"cohorts/{TRAINING}/labels",
        splits=RESULTS / f"cohorts/{TRAINING}/splits.csv",
    output:
        raw=RESULTS / f"nnunet/raw/{DATASET}/dataset.json",
        fingerprint=PREPROCESSED / "dataset_fingerprint.json",
        plans=PREPROCESSED / "nnUNetPlans.json",
        folds=PREPROCESSED / "splits_final.json",
    log:
        RESULTS / "logs/plan_segmentation.log",
    benchmark:
        RESULTS / "benchmarks/plan_segmentation.tsv"
    conda:
        "../envs/train.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="4h",
    params:
        plan=SETTINGS.segmentation.plan.model_dump(),
        code=code_of("plan_segmentation"),
    script:
        "../workflow_scripts/plan_segmentation.py"


rule preprocess_segmentation:
    """The store that every model is trained on: cases cropped, normalised and resampled in plane."""
    input:
        plans=rules.plan_segmentation.output.plans,
        raw=rules.plan_segmentation.output.raw,
    output:
        store=directory(PREPROCESSED / "store"),
    log:
        RESULTS / "logs/preprocess_segmentation.log",
    benchmark:
        RESULTS / "benchmarks/preprocess_segmentation.tsv"
    conda:
        "../envs/train.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="4h",
    params:
        code=code_of("preprocess_segmentation"),
    script:
        "../workflow_scripts/preprocess_segmentation.py"


rule preprocess_cohort:
    """Validation and test cases of one cohort, preprocessed by the same plan for every classifier and approach."""
    input:
        plans=rules.plan_segmentation.output.plans,
        raw=rules.plan_segmentation.output.raw,
        images=RESULTS / "cohorts/{cohort}/images",
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        store=directory(RESULTS / "cohorts/{cohort}/preprocessed"),
    log:
        RESULTS / "logs/preprocess_cohort/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/preprocess_cohort/{cohort}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="4h",
    params:
        code=code_of("preprocess_cohort"),
    script:
        "../workflow_scripts/preprocess_cohort.py"


rule train_segmenter:
    """One model: nnU-Net's 2D U-Net under the model's slice-sampling policy."""
    input:
        store=rules.preprocess_segmentation.output.store,
        raw=rules.plan_segmentation.output.raw,
        plans=rules.plan_segmentation.output.plans,
        folds=rules.plan_segmentation.output.folds,
        slices=RESULTS / f"cohorts/{TRAINING}/slices.csv",
        starts_from=base_weights,
    output:
        weights=MODEL_WEIGHTS,
    log:
        RESULTS / "logs/train_segmenter/{model}.log",
    benchmark:
        RESULTS / "benchmarks/train_segmenter/{model}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=training_minutes,
        # A resource and not a param, because a change of a resource re-runs no training.
        checkpoint_every=SETTINGS.segmentation.checkpoint_every,
    params:
        policy=lambda w: SETTINGS.models[w.model].policy(),
        training=lambda w: {**SETTINGS.training_of(w.model), **NUMERICS},
        seed=lambda w: SETTINGS.seed_of(w.model),
        code=code_of("train_segmenter"),
    script:
        "../workflow_scripts/train_segmenter.py"
