"""2 Methods, approach 2: seven networks learn to name a slice's region; the best one routes.

Needs   the preprocessed store and slices.csv of the training cohort; the preprocessed cohorts to classify
Makes   classifiers/{network}/weights.pth, classifiers/{network}/{cohort}.csv, classifiers/selected.yaml,
        tables/table2.{csv,md,html,tex}, figures/confusion.{pdf,png,html}
"""


rule fetch_weights:
    """ImageNet weights of one network, verified by their hash; compute nodes are offline."""
    output:
        weights=RESULTS / "classifiers/imagenet/{network}.pth",
    log:
        RESULTS / "logs/fetch_weights/{network}.log",
    localrule: True
    conda:
        "../envs/train.yaml"
    params:
        code=code_of("fetch_weights"),
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
    log:
        RESULTS / "logs/train_classifier/{network}.log",
    benchmark:
        RESULTS / "benchmarks/train_classifier/{network}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime="60h",
        # A resource, because a change of resources, unlike one of params, re-runs no training.
        checkpoint_every=SETTINGS.classification.checkpoint_every,
    params:
        training={
            **SETTINGS.classification.training(),
            "precision": SETTINGS.segmentation.precision,
            "deterministic": SETTINGS.deterministic,
        },
        seed=SETTINGS.seed,
        code=code_of("train_classifier"),
    script:
        "../workflow_scripts/train_classifier.py"


rule classify:
    """Region probabilities of every slice of one cohort (all of its splits but train)."""
    input:
        weights=rules.train_classifier.output.weights,
        store=rules.preprocess_cohort.output.store,
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        probabilities=RESULTS / "classifiers/{network}/{cohort}.csv",
    log:
        RESULTS / "logs/classify/{network}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/classify/{network}/{cohort}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime="2h",
    params:
        code=code_of("classify"),
    script:
        "../workflow_scripts/classify.py"


rule select_classifier:
    """Table 2, and the network with the best weighted-average precision and recall."""
    input:
        probabilities=expand(RESULTS / f"classifiers/{{network}}/{TRAINING}.csv", network=NETWORKS),
        slices=RESULTS / f"cohorts/{TRAINING}/slices.csv",
        splits=RESULTS / f"cohorts/{TRAINING}/splits.csv",
        paper=paper_table("table2"),
    output:
        selected=RESULTS / "classifiers/selected.yaml",
        csv=RESULTS / "tables/table2.csv",
        markdown=RESULTS / "tables/table2.md",
        html=report(RESULTS / "tables/table2.html", **caption("table2", "3 Tables", table="Table 2")),
        latex=RESULTS / "tables/table2.tex",
        against_paper=RESULTS / "tables/table2_against_paper.csv",
        against_paper_markdown=RESULTS / "tables/table2_against_paper.md",
        against_paper_html=report(
            RESULTS / "tables/table2_against_paper.html",
            **caption("table2_against_paper", "6 Against the paper", table="Table 2"),
        ),
        confusion=RESULTS / "figures/confusion.png",
        confusion_pdf=RESULTS / "figures/confusion.pdf",
        confusion_html=report(
            RESULTS / "figures/confusion.html",
            **caption("confusion", "4 Figures", figure="Confusion matrices"),
        ),
    log:
        RESULTS / "logs/select_classifier.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        networks=SETTINGS.classification.networks,
        select_on=SETTINGS.classification.select_on,
        code=code_of("select_classifier"),
    script:
        "../workflow_scripts/select_classifier.py"
