"""Single patients: ED and ES of new ones, volumes and function; where a label map looks wrong, and pictures of everyone.

Needs   predictions/{approach}/{cohort}; for the worth of the flags, scores/{approach}/{cohort}.csv
Makes   for cohorts without labels: patients/{approach}/{cohort}/function.csv, volumes.csv and curves.{png,pdf,html},
        patients/function.{csv,md,html}
        for the approaches in quality.approaches, for others where a target names them:
        patients/{approach}/{cohort}/qc.csv, qc_scores.csv and qc.html; tables/flags/{approach}.{csv,md,html}
"""

LIMITS = SETTINGS.quality.limits()
FLAG_SCORES = str(RESULTS / "patients/{approach}/{cohort}/qc_scores.csv")


if NEW_COHORTS:

    rule measure_function:
        """ED and ES of every patient of one cohort, their volumes and function, and the curves over the cycle."""
        input:
            labels=RESULTS / "predictions/{approach}/{cohort}/labels",
            cases=RESULTS / "cohorts/{cohort}/cases.csv",
        output:
            function=RESULTS / "patients/{approach}/{cohort}/function.csv",
            volumes=RESULTS / "patients/{approach}/{cohort}/volumes.csv",
            figure=[
                RESULTS / "patients/{approach}/{cohort}/curves.png",
                RESULTS / "patients/{approach}/{cohort}/curves.pdf",
                report(
                    RESULTS / "patients/{approach}/{cohort}/curves.html",
                    **caption("curves", "9 New patients")
                    | {"labels": lambda w: {"shown": f"Curves, {new_patients_title(w)}"}},
                ),
            ],
        log:
            RESULTS / "logs/measure_function/{approach}/{cohort}.log",
        benchmark:
            RESULTS / "benchmarks/measure_function/{approach}/{cohort}.tsv"
        wildcard_constraints:
            cohort=named(NEW_COHORTS),
        conda:
            "../envs/report.yaml"
        threads: 4
        resources:
            mem_mb=lambda wildcards, attempt: 2000 * attempt,
            runtime="1h",
        params:
            title=new_patients_title,
            regions=SETTINGS.regions.model_dump(),
            code=code_of("measure_function"),
        script:
            "../workflow_scripts/measure_function.py"

    rule patients_table:
        """The function of all new patients, of every cohort without labels and every approach that segments it."""
        input:
            functions=of_new_patients("function.csv"),
        output:
            table=[
                RESULTS / "patients/function.csv",
                RESULTS / "patients/function.md",
                report(
                    RESULTS / "patients/function.html",
                    **caption("new_patients", "9 New patients", shown="Function"),
                ),
            ],
        log:
            RESULTS / "logs/patients_table.log",
        localrule: True
        conda:
            "../envs/report.yaml"
        params:
            cohorts={name: SETTINGS.cohorts[name].title for name in NEW_COHORTS},
            approaches=TITLES["approaches"],
            code=code_of("patients_table"),
        script:
            "../workflow_scripts/patients_table.py"


rule find_flags:
    """Signs that something is wrong in the label maps of one approach and cohort, found without a reference."""
    input:
        predictions=RESULTS / "predictions/{approach}/{cohort}/labels",
        others=compared_approaches,
        regions=weighed_regions,
        cases=RESULTS / "cohorts/{cohort}/cases.csv",
        phases=found_phases,
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
