"""3 Experiments: scores of every slice, the performance gap (Table 1), what reduces it
(Table 3), the profile over the heart (Figure 2), boundaries, cardiac function, and what all of it says.

Needs   predictions/{approach}/{cohort} and the cohorts' reference labels
Makes   scores/{approach}/{cohort}.csv, boundaries/{approach}/{cohort}.csv, tables/, figures/
"""


rule score:
    """One row per test case, slice and label: DSC, areas, and false positives."""
    input:
        predictions=RESULTS / "predictions/{approach}/{cohort}/labels",
        references=RESULTS / "cohorts/{cohort}/labels",
        slices=RESULTS / "cohorts/{cohort}/slices.csv",
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        scores=RESULTS / "scores/{approach}/{cohort}.csv",
    log:
        RESULTS / "logs/score/{approach}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/score/{approach}/{cohort}.tsv"
    conda:
        "../envs/report.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime="1h",
    params:
        code=code_of("score"),
    script:
        "../workflow_scripts/score.py"


rule boundaries:
    """One row per test case, slice and label that prediction or reference carries: HD, HD95 and ASSD."""
    input:
        predictions=RESULTS / "predictions/{approach}/{cohort}/labels",
        references=RESULTS / "cohorts/{cohort}/labels",
        slices=RESULTS / "cohorts/{cohort}/slices.csv",
        splits=RESULTS / "cohorts/{cohort}/splits.csv",
    output:
        boundaries=RESULTS / "boundaries/{approach}/{cohort}.csv",
    log:
        RESULTS / "logs/boundaries/{approach}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/boundaries/{approach}/{cohort}.tsv"
    conda:
        "../envs/report.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime="1h",
    params:
        code=code_of("boundaries"),
    script:
        "../workflow_scripts/boundaries.py"


rule table1:
    """Experiment 1: the baseline's DSC by cohort, label and region; Welch's t-test."""
    input:
        scores=expand(RESULTS / f"scores/{BASELINE}/{{cohort}}.csv", cohort=COHORTS),
        paper=paper_table("table1"),
    output:
        table=[
            RESULTS / "tables/table1.csv",
            RESULTS / "tables/table1.md",
            RESULTS / "tables/table1.tex",
            report(RESULTS / "tables/table1.html", **caption("table1", "3 Tables", table="Table 1")),
        ],
        against_paper=[
            RESULTS / "tables/table1_against_paper.csv",
            RESULTS / "tables/table1_against_paper.md",
            report(
                RESULTS / "tables/table1_against_paper.html",
                **caption("table1_against_paper", "6 Against the paper", table="Table 1"),
            ),
        ],
    log:
        RESULTS / "logs/table1.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        baseline=BASELINE,
        scoring=SETTINGS.evaluation.scoring,
        significance=SETTINGS.evaluation.significance,
        code=code_of("table1"),
    script:
        "../workflow_scripts/table1.py"


rule table3:
    """Experiment 2: every approach against the baseline on the same slices; paired t-test."""
    input:
        scores=all_scores,
        paper=paper_table("table3"),
    output:
        table=[
            RESULTS / "tables/table3.csv",
            RESULTS / "tables/table3.md",
            RESULTS / "tables/table3.tex",
            report(RESULTS / "tables/table3.html", **caption("table3", "3 Tables", table="Table 3")),
        ],
        against_paper=[
            RESULTS / "tables/table3_against_paper.csv",
            RESULTS / "tables/table3_against_paper.md",
            report(
                RESULTS / "tables/table3_against_paper.html",
                **caption("table3_against_paper", "6 Against the paper", table="Table 3"),
            ),
        ],
        false_positives=[
            RESULTS / "tables/false_positives.csv",
            RESULTS / "tables/false_positives.md",
            report(
                RESULTS / "tables/false_positives.html",
                **caption("false_positives", "3 Tables", table="False positives"),
            ),
        ],
    log:
        RESULTS / "logs/table3.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        approaches=TITLES["approaches"],
        baseline=BASELINE,
        scoring=SETTINGS.evaluation.scoring,
        significance=SETTINGS.evaluation.significance,
        candidates=[name for name, row in SETTINGS.approaches.items() if row.router != "reference"],
        code=code_of("table3"),
    script:
        "../workflow_scripts/table3.py"


rule boundary_table:
    """Mean HD, HD95 and ASSD by cohort, label, region and approach, beside the DSC."""
    input:
        boundaries=expand(
            RESULTS / "boundaries/{approach}/{cohort}.csv",
            approach=SETTINGS.approaches,
            cohort=COHORTS,
        ),
        scores=all_scores,
    output:
        table=[
            RESULTS / "tables/boundaries.csv",
            RESULTS / "tables/boundaries.md",
            RESULTS / "tables/boundaries.tex",
            report(
                RESULTS / "tables/boundaries.html",
                **caption("boundaries", "3 Tables", table="Boundaries"),
            ),
        ],
    log:
        RESULTS / "logs/boundary_table.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        approaches=TITLES["approaches"],
        code=code_of("boundary_table"),
    script:
        "../workflow_scripts/boundary_table.py"


rule figure2:
    """DSC from base to apex of every approach, by label, for the training cohort's test cases, or all without one."""
    input:
        scores=expand(
            RESULTS / "scores/{approach}/{cohort}.csv",
            approach=SETTINGS.approaches,
            cohort=[TRAINING] if TRAINING else COHORTS,
        ),
    output:
        figure=[
            RESULTS / "figures/figure2.png",
            RESULTS / "figures/figure2.pdf",
            report(RESULTS / "figures/figure2.html", **caption("figure2", "4 Figures", figure="Figure 2")),
        ],
        csv=RESULTS / "figures/figure2.csv",
    log:
        RESULTS / "logs/figure2.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        approaches=TITLES["approaches"],
        points=SETTINGS.evaluation.profile_points,
        code=code_of("figure2"),
    script:
        "../workflow_scripts/figure2.py"


rule cardiac_function:
    """Volumes, ejection fractions and LV mass of every patient; their errors by region, and what approaches change."""
    input:
        scores=all_scores,
        cases=expand(RESULTS / "cohorts/{cohort}/cases.csv", cohort=COHORTS),
        literature=local(LITERATURE),
    output:
        table=[
            RESULTS / "tables/cardiac_function.csv",
            RESULTS / "tables/cardiac_function.md",
            RESULTS / "tables/cardiac_function.tex",
            report(
                RESULTS / "tables/cardiac_function.html",
                **caption("cardiac_function", "3 Tables", table="Cardiac function"),
            ),
        ],
        errors=[
            RESULTS / "tables/volume_errors.csv",
            RESULTS / "tables/volume_errors.md",
            report(
                RESULTS / "tables/volume_errors.html",
                **caption("volume_errors", "3 Tables", table="Errors of the volumes"),
            ),
        ],
        changes=[
            RESULTS / "tables/function_changes.csv",
            RESULTS / "tables/function_changes.md",
            report(
                RESULTS / "tables/function_changes.html",
                **caption(
                    "function_changes",
                    "7 What the numbers say",
                    table="Errors of cardiac function, compared",
                ),
            ),
        ],
        patients=RESULTS / "tables/patients_function.csv",
    log:
        RESULTS / "logs/cardiac_function.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        approaches=TITLES["approaches"],
        baseline=BASELINE,
        primary=SETTINGS.primary(),
        code=code_of("cardiac_function"),
    script:
        "../workflow_scripts/cardiac_function.py"


rule bland_altman:
    """Difference against mean of every patient's volumes, ejection fractions and LV mass, a page per cohort."""
    input:
        scores=expand(RESULTS / "scores/{approach}/{{cohort}}.csv", approach=SETTINGS.approaches),
        cases=RESULTS / "cohorts/{cohort}/cases.csv",
        literature=local(LITERATURE),
    output:
        figure=[
            RESULTS / "figures/bland_altman/{cohort}.png",
            RESULTS / "figures/bland_altman/{cohort}.pdf",
            report(
                RESULTS / "figures/bland_altman/{cohort}.html",
                **caption("bland_altman", "4 Figures")
                | {"labels": lambda w: {"figure": f"Bland-Altman, {TITLES['cohorts'][w.cohort]}"}},
            ),
        ],
    log:
        RESULTS / "logs/bland_altman/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        title=lambda w: TITLES["cohorts"][w.cohort],
        approaches=TITLES["approaches"],
        code=code_of("bland_altman"),
    script:
        "../workflow_scripts/bland_altman.py"


rule answers:
    """What the scores say, with confidence intervals over patients; and the paper's cells beside it."""
    input:
        scores=all_scores,
        regions=all_named_regions,
        cases=expand(RESULTS / "cohorts/{cohort}/cases.csv", cohort=COHORTS),
        table1=paper_table("table1"),
        table3=paper_table("table3"),
    output:
        table=[
            RESULTS / "tables/answers.csv",
            RESULTS / "tables/answers.md",
            report(
                RESULTS / "tables/answers.html",
                **caption("answers", "7 What the numbers say", table="Answers"),
            ),
        ],
        against_paper=[
            RESULTS / "tables/answers_against_paper.csv",
            RESULTS / "tables/answers_against_paper.md",
            report(
                RESULTS / "tables/answers_against_paper.html",
                **caption("answers_against_paper", "6 Against the paper", table="Cell by cell"),
            ),
        ],
    log:
        RESULTS / "logs/answers.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        approaches=TITLES["approaches"],
        baseline=BASELINE,
        bounds=BOUNDS,
        trained_slices=SETTINGS.trained_slices(),
        controls=SETTINGS.controls(),
        primary=SETTINGS.primary(),
        scoring=SETTINGS.evaluation.scoring,
        margin=SETTINGS.evaluation.margin,
        code=code_of("answers"),
    script:
        "../workflow_scripts/answers.py"


rule forest:
    """Gap and changes of one cohort with their intervals, by region, label and approach, in one look."""
    input:
        answers=RESULTS / "tables/answers.csv",
    output:
        figure=[
            RESULTS / "figures/forest/{cohort}.png",
            RESULTS / "figures/forest/{cohort}.pdf",
            report(
                RESULTS / "figures/forest/{cohort}.html",
                **caption("forest", "7 What the numbers say")
                | {"labels": lambda w: {"cohort": TITLES["cohorts"][w.cohort], "shown": "Forest plot"}},
            ),
        ],
    log:
        RESULTS / "logs/forest/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        title=lambda w: TITLES["cohorts"][w.cohort],
        approaches=TITLES["approaches"],
        scoring=SETTINGS.evaluation.scoring,
        margin=SETTINGS.evaluation.margin,
        code=code_of("forest"),
    script:
        "../workflow_scripts/forest.py"


rule training_gain:
    """What each approach changes beside a plain baseline that was trained as long, of one cohort, in one look."""
    input:
        answers=RESULTS / "tables/answers.csv",
    output:
        figure=[
            RESULTS / "figures/training_gain/{cohort}.png",
            RESULTS / "figures/training_gain/{cohort}.pdf",
            report(
                RESULTS / "figures/training_gain/{cohort}.html",
                **caption("training_gain", "7 What the numbers say")
                | {
                    "labels": lambda w: {
                        "cohort": TITLES["cohorts"][w.cohort],
                        "shown": "Training against gain",
                    }
                },
            ),
        ],
    log:
        RESULTS / "logs/training_gain/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        title=lambda w: TITLES["cohorts"][w.cohort],
        approaches=TITLES["approaches"],
        plain=SETTINGS.plain(),
        scoring=SETTINGS.evaluation.scoring,
        code=code_of("training_gain"),
    script:
        "../workflow_scripts/training_gain.py"


rule provenance:
    """The resolved configuration, the versions and the commit, beside the results."""
    input:
        tables=expand(RESULTS / "tables/{table}.csv", table=if_labelled("table1", "table3", "boundaries")),
        patients=[] if COHORTS else [RESULTS / "patients/function.csv"],
    output:
        RESULTS / "provenance.yaml",
    log:
        RESULTS / "logs/provenance.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        settings=SETTINGS.model_dump(mode="json"),
        code=code_of("provenance"),
    script:
        "../workflow_scripts/provenance.py"
