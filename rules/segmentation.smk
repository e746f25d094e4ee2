"""2 Methods: one store of preprocessed cases. The baseline, the levels of batch sampling and the region-specific
segmenters differ only in how often each slice of it is drawn; controls also in epochs, seed or starting weights. Models
in 3D or with a residual encoder have plans of their own, and 3D models a store of their own, if the configuration names
any.

Needs   cohorts/{training cohort}: images, labels, splits.csv, slices.csv; images of the cohorts to segment
Makes   nnunet/preprocessed (store, plans), cohorts/{cohort}/preprocessed, nnunet/results/.../fold_0/checkpoint_final.pth
        for 3D models: store_3d and preprocessed_3d; for them and residual encoders: nnUNetPlans_{planner}_{configuration}
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


rule plan_variant:
    """nnU-Net's plan in 3D, or by the planner of a residual encoder, for the models that have it."""
    input:
        raw=rules.plan_segmentation.output.raw,
        fingerprint=rules.plan_segmentation.output.fingerprint,
    output:
        plans=PREPROCESSED / "nnUNetPlans_{planner}_{configuration}.json",
    log:
        RESULTS / "logs/plan_variant/{planner}_{configuration}.log",
    benchmark:
        RESULTS / "benchmarks/plan_variant/{planner}_{configuration}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="4h",
    params:
        plan=SETTINGS.segmentation.plan.model_dump(),
        code=code_of("plan_variant"),
    script:
        "../workflow_scripts/plan_variant.py"


rule preprocess_segmentation:
    """The store that models are trained on: cases cropped, normalised and resampled, in plane or for 3D models also
    through the stack.
    """
    input:
        plans=store_plan,
        raw=rules.plan_segmentation.output.raw,
    output:
        store=directory(PREPROCESSED / "store{axes}"),
    log:
        RESULTS / "logs/preprocess_segmentation{axes}.log",
    benchmark:
        RESULTS / "benchmarks/preprocess_segmentation{axes}.tsv"
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
    """Validation and test cases of one cohort, preprocessed by the same plan for every classifier and approach; for 3D
    models by theirs.
    """
    input:
        plans=store_plan,
        raw=rules.plan_segmentation.output.raw,
        images=RESULTS / "cohorts/{cohort}/images",
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        store=directory(RESULTS / "cohorts/{cohort}/preprocessed{axes}"),
    log:
        RESULTS / "logs/preprocess_cohort{axes}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/preprocess_cohort{axes}/{cohort}.tsv"
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
    """One model: nnU-Net's U-Net under the model's slice-sampling policy."""
    input:
        store=model_store,
        raw=rules.plan_segmentation.output.raw,
        plans=model_plan,
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
