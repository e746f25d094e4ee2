"""Single patients: where a label map looks wrong, what such flags are worth, and pictures of every patient.

Needs   predictions/{approach}/{cohort}; for the worth of the flags, scores/{approach}/{cohort}.csv
Makes   patients/{approach}/{cohort}/qc.csv, qc_scores.csv and qc.html; tables/flags/{approach}.{csv,md,html}
        for the approaches in quality.approaches; for others, where a target names them
"""

LIMITS = SETTINGS.quality.limits()
FLAG_SCORES = str(RESULTS / "patients/{approach}/{cohort}/qc_scores.csv")


rule find_flags:
    """Signs that something is wrong in the label maps of one approach and cohort, found without a reference."""
    input:
        predictions=RESULTS / "predictions/{approach}/{cohort}/labels",
        others=compared_approaches,
        regions=weighed_regions,
        cases=RESULTS / "cohorts/{cohort}/cases.csv",
    output:
        raised=RESULTS / "patients/{approach}/{cohort}/qc.csv",
        scores=FLAG_SCORES,
    log:
        RESULTS / "logs/find_flags/{approach}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/find_flags/{approach}/{cohort}.tsv"
    conda:
        "../envs/report.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime="1h",
    params:
        limits=LIMITS,
        code=code_of("find_flags"),
    script:
        "../workflow_scripts/find_flags.py"


rule flag_worth:
    """How well each quality flag of one approach finds badly segmented slices, where there are references."""
    input:
        flag_scores=expand(FLAG_SCORES, cohort=COHORTS, allow_missing=True),
        scores=expand(RESULTS / "scores/{approach}/{cohort}.csv", cohort=COHORTS, allow_missing=True),
    output:
        table=[
            RESULTS / "tables/flags/{approach}.csv",
            RESULTS / "tables/flags/{approach}.md",
            report(
                RESULTS / "tables/flags/{approach}.html",
                **caption("flags", "3 Tables")
                | {"labels": lambda w: {"table": f"Quality flags, {TITLES['approaches'][w.approach]}"}},
            ),
        ],
    log:
        RESULTS / "logs/flag_worth/{approach}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        cohorts=TITLES["cohorts"],
        title=lambda w: TITLES["approaches"][w.approach],
        limits=LIMITS,
        code=code_of("flag_worth"),
    script:
        "../workflow_scripts/flag_worth.py"


rule flag_page:
    """Every patient of one cohort as strips of slices, with the flags of one approach, the worst first."""
    input:
        raised=rules.find_flags.output.raised,
        scores=rules.find_flags.output.scores,
        worth=RESULTS / "tables/flags/{approach}.csv" if COHORTS else [],
        images=RESULTS / "cohorts/{cohort}/images",
        predictions=rules.find_flags.input.predictions,
    output:
        html=RESULTS / "patients/{approach}/{cohort}/qc.html",
    log:
        RESULTS / "logs/flag_page/{approach}/{cohort}.log",
    benchmark:
        RESULTS / "benchmarks/flag_page/{approach}/{cohort}.tsv"
    conda:
        "../envs/report.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime="1h",
    params:
        approach=lambda w: TITLES["approaches"][w.approach],
        cohort=lambda w: SETTINGS.cohorts[w.cohort].title,
        limits=LIMITS,
        code=code_of("flag_page"),
    script:
        "../workflow_scripts/flag_page.py"
