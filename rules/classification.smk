"""2 Methods, approach 2: seven networks learn to name a slice's region; the best one routes.

Needs   the preprocessed store and slices.csv of the training cohort; the cohorts to classify
Makes   classifiers/{network}/weights.pth, classifiers/{network}/{cohort}.csv, classifiers/selected.yaml,
        tables/table2.{csv,md,tex}, figures/confusion.{pdf,png}
"""


rule fetch_weights:
    """ImageNet weights of one network, verified by their hash; compute nodes are offline."""
    output:
        weights=RESULTS / "classifiers/imagenet/{network}.pth",
    params:
        code=code_of("fetch_weights"),
    log:
        RESULTS / "logs/fetch_weights/{network}.log",
    localrule: True
    conda:
        "../envs/train.yaml"
    script:
        "../workflow_scripts/fetch_weights.py"


rule train_classifier:
    """One slice-region classifier, fine-tuned; the best epoch by validation is kept."""
    input:
        store=rules.preprocess_segmentation.output.store,
        plans=rules.plan_segmentation.output.plans,
        folds=rules.plan_segmentation.output.folds,
        slices=RESULTS / f"cohorts/{TRAINING}/slices.csv",
        initial=initial_weights,
    output:
        weights=RESULTS / "classifiers/{network}/weights.pth",
        history=RESULTS / "classifiers/{network}/history.csv",
    params:
        training=SETTINGS.classification.training(),
        seed=SETTINGS.seed,
        code=code_of("train_classifier"),
    log:
        RESULTS / "logs/train_classifier/{network}.log",
    benchmark:
        RESULTS / "benchmarks/train_classifier/{network}.tsv"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime="60h",
    conda:
        "../envs/train.yaml"
    script:
        "../workflow_scripts/train_classifier.py"


rule classify:
    """Region probabilities of every slice of one cohort (all of its splits but train)."""
    input:
        weights=rules.train_classifier.output.weights,
        plans=rules.plan_segmentation.output.plans,
        raw=rules.plan_segmentation.output.raw,
        images=RESULTS / "cohorts/{cohort}/images",
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        probabilities=RESULTS / "classifiers/{network}/{cohort}.csv",
    params:
        code=code_of("classify"),
    log:
        RESULTS / "logs/classify/{network}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/classify/{network}/{cohort}.tsv"
    threads: 4
    resources:
        gpu=1,
        mem_mb=8000,
        runtime="2h",
    conda:
        "../envs/train.yaml"
    script:
        "../workflow_scripts/classify.py"


rule select_classifier:
    """Table 2, and the network with the best weighted-average precision and recall."""
    input:
        probabilities=expand(
            RESULTS / f"classifiers/{{network}}/{TRAINING}.csv", network=NETWORKS
        ),
        slices=RESULTS / f"cohorts/{TRAINING}/slices.csv",
        splits=RESULTS / f"cohorts/{TRAINING}/splits.csv",
    output:
        selected=RESULTS / "classifiers/selected.yaml",
        csv=RESULTS / "tables/table2.csv",
        markdown=report(RESULTS / "tables/table2.md", **caption("table2", "Tables", table="Table 2")),
        latex=RESULTS / "tables/table2.tex",
        against_paper=RESULTS / "tables/table2_against_paper.csv",
        confusion=report(RESULTS / "figures/confusion.png", **caption("confusion", "Figures", figure="Confusion matrices")),
        confusion_pdf=RESULTS / "figures/confusion.pdf",
    params:
        networks=SETTINGS.classification.networks,
        select_on=SETTINGS.classification.select_on,
        paper=PAPER / "table2.csv",
        code=code_of("select_classifier"),
    log:
        RESULTS / "logs/select_classifier.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    script:
        "../workflow_scripts/select_classifier.py"
