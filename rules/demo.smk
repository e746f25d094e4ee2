"""Synthetic patients, written as raw data in the layouts of the real downloads, and label maps to be judged.

Needs   the configuration's demo section (null: there is nothing to make)
Makes   {demo folder}/{cohort}, to which the cohorts' folders point, and
        {demo folder}/predictions/{approach}/{cohort}, to which those of the approaches point
"""

if SETTINGS.demo:

    rule make_demo_cohort:
        """Make the synthetic patients of one cohort, with the scanners and the raw layout of its format."""
        output:
            raw=local(directory(Path(SETTINGS.demo.folder) / "{cohort}")),
        log:
            RESULTS / "logs/make_demo_cohort/{cohort}.log",
        benchmark:
            RESULTS / "benchmarks/make_demo_cohort/{cohort}.tsv"
        wildcard_constraints:
            cohort=named(COHORTS),
        conda:
            "../envs/convert.yaml"
        threads: 4
        resources:
            mem_mb=lambda wildcards, attempt: 4000 * attempt,
            runtime="1h",
        params:
            format=lambda w: SETTINGS.cohorts[w.cohort].format,
            patients=lambda w: SETTINGS.demo.patients[w.cohort],
            seed=SETTINGS.seed,
            code=code_of("make_demo_cohort"),
        script:
            "../workflow_scripts/make_demo_cohort.py"


if SETTINGS.demo and NEW_COHORTS:

    rule make_demo_cines:
        """Make the cines of the synthetic patients of one cohort without labels; phases.csv beside them says ED and ES."""
        output:
            raw=local(directory(Path(SETTINGS.demo.folder) / "{cohort}")),
        log:
            RESULTS / "logs/make_demo_cines/{cohort}.log",
        benchmark:
            RESULTS / "benchmarks/make_demo_cines/{cohort}.tsv"
        wildcard_constraints:
            cohort=named(NEW_COHORTS),
        conda:
            "../envs/convert.yaml"
        threads: 4
        resources:
            mem_mb=lambda wildcards, attempt: 4000 * attempt,
            runtime="1h",
        params:
            format=lambda w: SETTINGS.cohorts[w.cohort].format,
            patients=lambda w: SETTINGS.demo.patients[w.cohort],
            seed=SETTINGS.seed,
            code=code_of("make_demo_cines"),
        script:
            "../workflow_scripts/make_demo_cines.py"


if SETTINGS.demo and SETTINGS.demo.predictions:

    rule make_demo_predictions:
        """Make the label maps of one approach and cohort from the references, with the faults of a bad segmenter."""
        input:
            references=RESULTS / "cohorts/{cohort}/labels",
        output:
            folder=local(directory(Path(SETTINGS.demo.folder) / "predictions/{approach}/{cohort}")),
        log:
            RESULTS / "logs/make_demo_predictions/{approach}/{cohort}.log",
        benchmark:
            RESULTS / "benchmarks/make_demo_predictions/{approach}/{cohort}.tsv"
        conda:
            "../envs/convert.yaml"
        threads: 4
        resources:
            mem_mb=lambda wildcards, attempt: 2000 * attempt,
            runtime="1h",
        params:
            kind=lambda w: SETTINGS.demo.predictions[w.approach],
            seed=SETTINGS.seed,
            code=code_of("make_demo_predictions"),
        script:
            "../workflow_scripts/make_demo_predictions.py"
