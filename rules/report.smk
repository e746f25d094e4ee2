"""What the report shows beside the tables and figures: the data, example slices and the worst ones, the trainings,
how long everything took, and what was trained for each approach.

Needs   cohorts/{cohort}, predictions/{approach}/{cohort}, scores, the trained models, benchmarks/
Makes   report/: pages, pictures and the numbers behind them as CSV; tables/budget.{csv,md,html}
"""

MODELS_USED = SETTINGS.models_used()


rule cohort_summary:
    """Patients, cases, slices and geometry by cohort and split; what was left out and repaired."""
    input:
        cases=expand(RESULTS / "cohorts/{cohort}/cases.csv", cohort=COHORTS),
        splits=expand(RESULTS / "cohorts/{cohort}/splits.csv", cohort=COHORTS),
        slices=expand(RESULTS / "cohorts/{cohort}/slices.csv", cohort=COHORTS),
        labels=expand(RESULTS / "cohorts/{cohort}/labels", cohort=COHORTS),
    output:
        html=report(
            RESULTS / "report/cohorts.html",
            **caption("cohorts", "1 Cohorts", table="Summary"),
        ),
        counts=RESULTS / "report/cohorts.csv",
        left_out=RESULTS / "report/left_out.csv",
        findings=RESULTS / "report/findings.csv",
    log:
        RESULTS / "logs/cohort_summary.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        code=code_of("cohort_summary"),
    script:
        "../workflow_scripts/cohort_summary.py"


rule segmenter_curves:
    """Losses and pseudo-Dice of every model, epoch by epoch."""
    input:
        weights=expand(MODEL_WEIGHTS, model=MODELS_USED),
    output:
        figure=[
            RESULTS / "report/segmenter_curves.png",
            RESULTS / "report/segmenter_curves.pdf",
            report(
                RESULTS / "report/segmenter_curves.html",
                **caption("segmenter_curves", "2 Trainings", figure="Segmenters"),
            ),
        ],
        csv=RESULTS / "report/segmenter_curves.csv",
    log:
        RESULTS / "logs/segmenter_curves.log",
    localrule: True
    conda:
        "../envs/train.yaml"
    params:
        models=MODELS_USED,
        code=code_of("segmenter_curves"),
    script:
        "../workflow_scripts/segmenter_curves.py"


rule classifier_curves:
    """Losses and accuracy of every classifier, epoch by epoch."""
    input:
        histories=expand(RESULTS / "classifiers/{network}/history.csv", network=NETWORKS),
    output:
        figure=[
            RESULTS / "report/classifier_curves.png",
            RESULTS / "report/classifier_curves.pdf",
            report(
                RESULTS / "report/classifier_curves.html",
                **caption("classifier_curves", "2 Trainings", figure="Classifiers"),
            ),
        ],
    log:
        RESULTS / "logs/classifier_curves.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        networks=SETTINGS.classification.networks,
        code=code_of("classifier_curves"),
    script:
        "../workflow_scripts/classifier_curves.py"


rule example_slices:
    """A slice of each region of one cohort, that of the baseline's median DSC, with every prediction."""
    input:
        scores=expand(RESULTS / "scores/{approach}/{{cohort}}.csv", approach=SETTINGS.approaches),
        predictions=expand(
            RESULTS / "predictions/{approach}/{{cohort}}/labels",
            approach=SETTINGS.approaches,
        ),
        images=RESULTS / "cohorts/{cohort}/images",
        references=RESULTS / "cohorts/{cohort}/labels",
    output:
        html=report(
            RESULTS / "report/examples/{cohort}.html",
            **caption("example_slices", "5 Slices")
            | {"labels": lambda w: {"cohort": TITLES["cohorts"][w.cohort], "shown": "Examples"}},
        ),
        png=RESULTS / "report/examples/{cohort}.png",
    log:
        RESULTS / "logs/example_slices/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        approaches=TITLES["approaches"],
        baseline=BASELINE,
        title=lambda w: TITLES["cohorts"][w.cohort],
        code=code_of("example_slices"),
    script:
        "../workflow_scripts/example_slices.py"


rule worst_cases:
    """The cases of one cohort that the baseline segments worst, by region: a table, and pictures."""
    input:
        scores=rules.example_slices.input.scores,
        predictions=rules.example_slices.input.predictions,
        images=rules.example_slices.input.images,
        references=rules.example_slices.input.references,
    output:
        html=report(
            RESULTS / "report/worst/{cohort}.html",
            **caption("worst_cases", "5 Slices")
            | {"labels": lambda w: {"cohort": TITLES["cohorts"][w.cohort], "shown": "Worst cases"}},
        ),
        csv=RESULTS / "report/worst/{cohort}.csv",
        base=RESULTS / "report/worst/{cohort}_base.png",
        middle=RESULTS / "report/worst/{cohort}_middle.png",
        apex=RESULTS / "report/worst/{cohort}_apex.png",
    log:
        RESULTS / "logs/worst_cases/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        approaches=TITLES["approaches"],
        baseline=BASELINE,
        title=lambda w: TITLES["cohorts"][w.cohort],
        code=code_of("worst_cases"),
    script:
        "../workflow_scripts/worst_cases.py"


rule timings:
    """Run time and memory of every job, from the benchmarks of the results folder."""
    input:
        # Benchmarks are not inputs: if one were deleted, Snakemake would train that model again.
        tables=expand(RESULTS / "tables/{table}.csv", table=["table1", "table2", "table3", "boundaries"]),
        segmenters=rules.segmenter_curves.output.csv,
        histories=rules.classifier_curves.input.histories,
    output:
        html=report(
            RESULTS / "report/timings.html",
            **caption("timings", "8 Timings", table="Timings"),
        ),
        csv=RESULTS / "report/timings.csv",
    log:
        RESULTS / "logs/timings.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        networks=NETWORKS,
        benchmarks=lambda w, output: Path(output.csv).parents[1] / "benchmarks",
        code=code_of("timings"),
    script:
        "../workflow_scripts/timings.py"


rule budget:
    """What was trained for each approach, in slices and hours, beside what it gains over the baseline."""
    input:
        scores=all_scores,
        segmenters=rules.segmenter_curves.output.csv,
        histories=rules.classifier_curves.input.histories,
        slices=RESULTS / f"cohorts/{TRAINING}/slices.csv",
        splits=RESULTS / f"cohorts/{TRAINING}/splits.csv",
    output:
        table=[
            RESULTS / "tables/budget.csv",
            RESULTS / "tables/budget.md",
            report(
                RESULTS / "tables/budget.html",
                **caption("budget", "7 What the numbers say", table="Training budget"),
            ),
        ],
    log:
        RESULTS / "logs/budget.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        approaches=TITLES["approaches"],
        baseline=BASELINE,
        models=SETTINGS.budgets(),
        networks=NETWORKS,
        classified=SETTINGS.classified(),
        controls=SETTINGS.controls(),
        scoring=SETTINGS.evaluation.scoring,
        code=code_of("budget"),
    script:
        "../workflow_scripts/budget.py"
