"""New patients: ED and ES of cohorts without reference labels, their volumes over the cycle, and their function.

Needs   predictions/{approach}/{cohort} of cohorts without labels
Makes   patients/{approach}/{cohort}/function.csv, volumes.csv and curves.{png,pdf,html}, patients/function.{csv,md,html}
"""

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
            functions=[
                RESULTS / f"patients/{approach}/{cohort}/function.csv"
                for cohort, approaches in SEGMENTED_BY.items()
                for approach in approaches
            ],
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
