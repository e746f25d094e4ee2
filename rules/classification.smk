"""2 Methods, approach 2: seven networks learn to name a slice's region; the best one is selected for routing.

Needs   the preprocessed store and slices.csv of the training cohort; the preprocessed cohorts to classify; extents and
        the region probabilities of joint models' heads, if a router reads them
Makes   classifiers/{network}/weights.pth, classifiers/{network}/{cohort}.csv, classifiers/selected.yaml,
        classifiers/calibration.yaml, classifiers/regions/{cohort}.csv, regions/{reading}_{chosen}/{cohort}.csv,
        regions/extent/{model}/{cohort}.csv, regions/extent_{chosen}/{model}/{cohort}.csv,
        heads/{model}/calibration.yaml, regions/{reading}_head/{model}/{cohort}.csv,
        tables/table2.{csv,md,html,tex}, tables/{readings,reliability}.{csv,md,html},
        figures/{confusion,reliability}.{pdf,png,html}
"""


rule fetch_weights:
    """Download the ImageNet weights of one network and verify them by their hash; it runs where Snakemake was started."""
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
        store=PREPROCESSED / "store",
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
        # A resource and not a param, because a change of a resource re-runs no training.
        checkpoint_every=SETTINGS.classification.checkpoint_every,
    params:
        training={**SETTINGS.classification.training(), **NUMERICS},
        seed=SETTINGS.seed,
        code=code_of("train_classifier"),
    script:
        "../workflow_scripts/train_classifier.py"


rule classify:
    """Region probabilities by one network, of every slice of one cohort's validation and test cases."""
    input:
        weights=rules.train_classifier.output.weights,
        store=RESULTS / "cohorts/{cohort}/preprocessed",
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
        table=[
            RESULTS / "tables/table2.csv",
            RESULTS / "tables/table2.md",
            RESULTS / "tables/table2.tex",
            report(RESULTS / "tables/table2.html", **caption("table2", "3 Tables", table="Table 2")),
        ],
        against_paper=[
            RESULTS / "tables/table2_against_paper.csv",
            RESULTS / "tables/table2_against_paper.md",
            report(
                RESULTS / "tables/table2_against_paper.html",
                **caption("table2_against_paper", "6 Against the paper", table="Table 2"),
            ),
        ],
        confusion=[
            RESULTS / "figures/confusion.png",
            RESULTS / "figures/confusion.pdf",
            report(
                RESULTS / "figures/confusion.html",
                **caption("confusion", "4 Figures", figure="Confusion matrices"),
            ),
        ],
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


rule predict_regions:
    """The region of every slice of one cohort, by the selected network; the router `classifier` reads it."""
    input:
        selected=rules.select_classifier.output.selected,
        probabilities=expand(RESULTS / "classifiers/{network}/{{cohort}}.csv", network=NETWORKS),
    output:
        regions=RESULTS / "classifiers/regions/{cohort}.csv",
    log:
        RESULTS / "logs/predict_regions/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        networks=NETWORKS,
        code=code_of("predict_regions"),
    script:
        "../workflow_scripts/predict_regions.py"


rule calibrate:
    """The temperature of each network and of the mean of all, by the validation split of the training cohort."""
    input:
        probabilities=rules.select_classifier.input.probabilities,
        slices=RESULTS / f"cohorts/{TRAINING}/slices.csv",
        splits=RESULTS / f"cohorts/{TRAINING}/splits.csv",
    output:
        calibration=RESULTS / "classifiers/calibration.yaml",
    log:
        RESULTS / "logs/calibrate.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        networks=NETWORKS,
        code=code_of("calibrate"),
    script:
        "../workflow_scripts/calibrate.py"


rule reliability:
    """How far the networks' probabilities can be believed, before and after calibration; and the rule without an image."""
    input:
        probabilities=rules.calibrate.input.probabilities,
        slices=rules.calibrate.input.slices,
        splits=rules.calibrate.input.splits,
        calibration=rules.calibrate.output.calibration,
        heads=expand(RESULTS / f"heads/{{model}}/{TRAINING}.csv", model=HEADS),
        head_calibrations=expand(RESULTS / "heads/{model}/calibration.yaml", model=HEADS),
    output:
        table=[
            RESULTS / "tables/reliability.csv",
            RESULTS / "tables/reliability.md",
            report(
                RESULTS / "tables/reliability.html",
                **caption("reliability", "3 Tables", table="Table 2: reliability"),
            ),
        ],
        figure=[
            RESULTS / "figures/reliability.png",
            RESULTS / "figures/reliability.pdf",
            report(
                RESULTS / "figures/reliability.html",
                **caption("reliability_diagram", "4 Figures", figure="Reliability"),
            ),
        ],
    log:
        RESULTS / "logs/reliability.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        **HEADS_READ,
        networks=SETTINGS.classification.networks,
        select_on=SETTINGS.classification.select_on,
        regions=SETTINGS.regions.model_dump(),
        code=code_of("reliability"),
    script:
        "../workflow_scripts/reliability.py"


rule read_classifier:
    """The region of every slice of one cohort and the weights of all regions, by one reading of the classifiers."""
    input:
        selected=selected_network,
        probabilities=rules.predict_regions.input.probabilities,
        calibration=rules.calibrate.output.calibration,
    output:
        regions=RESULTS / "regions/{reading}_{chosen}/{cohort}.csv",
    log:
        RESULTS / "logs/read_classifier/{reading}_{chosen}/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        networks=NETWORKS,
        regions=SETTINGS.regions.model_dump(),
        code=code_of("read_classifier"),
    script:
        "../workflow_scripts/read_classifier.py"


rule calibrate_head:
    """The temperature of the head of one joint model, by the validation split of the training cohort."""
    input:
        probabilities=RESULTS / f"heads/{{model}}/{TRAINING}.csv",
        slices=rules.calibrate.input.slices,
        splits=rules.calibrate.input.splits,
    output:
        calibration=RESULTS / "heads/{model}/calibration.yaml",
    log:
        RESULTS / "logs/calibrate_head/{model}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=code_of("calibrate_head"),
    script:
        "../workflow_scripts/calibrate_head.py"


rule read_head:
    """The region of every slice of one cohort and the weights of all regions, by one reading of a joint model's head."""
    input:
        probabilities=RESULTS / "heads/{model}/{cohort}.csv",
        calibration=rules.calibrate_head.output.calibration,
    output:
        regions=RESULTS / "regions/{reading}_head/{model}/{cohort}.csv",
    log:
        RESULTS / "logs/read_head/{reading}/{model}/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        regions=SETTINGS.regions.model_dump(),
        code=code_of("read_head"),
    script:
        "../workflow_scripts/read_head.py"


rule read_extent:
    """The region of every slice of one cohort and the weights of all regions, by a model's extent alone."""
    input:
        extent=RESULTS / "extents/{model}/{cohort}.csv",
        validation_extent=RESULTS / f"extents/{{model}}/{TRAINING}.csv",
        slices=RESULTS / f"cohorts/{TRAINING}/slices.csv",
        splits=RESULTS / f"cohorts/{TRAINING}/splits.csv",
    output:
        regions=RESULTS / "regions/extent/{model}/{cohort}.csv",
    log:
        RESULTS / "logs/read_extent/{model}/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        regions=SETTINGS.regions.model_dump(),
        code=code_of("read_extent"),
    script:
        "../workflow_scripts/read_extent.py"


rule weigh_extent:
    """The region of every slice of one cohort and the weights of all regions, by a model's extent and the classifiers."""
    input:
        extent=rules.read_extent.input.extent,
        validation_extent=rules.read_extent.input.validation_extent,
        slices=rules.read_extent.input.slices,
        splits=rules.read_extent.input.splits,
        selected=selected_network,
        probabilities=rules.predict_regions.input.probabilities,
        calibration=rules.calibrate.output.calibration,
    output:
        regions=RESULTS / "regions/extent_{chosen}/{model}/{cohort}.csv",
    log:
        RESULTS / "logs/weigh_extent/{chosen}/{model}/{cohort}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        networks=NETWORKS,
        regions=SETTINGS.regions.model_dump(),
        code=code_of("weigh_extent"),
    script:
        "../workflow_scripts/weigh_extent.py"


rule readings:
    """How many slices get the right region: by each reading of classifiers and extents, and by a rule without an image."""
    input:
        selected=rules.select_classifier.output.selected,
        probabilities=expand(RESULTS / "classifiers/{network}/{cohort}.csv", cohort=COHORTS, network=NETWORKS),
        slices=expand(RESULTS / "cohorts/{cohort}/slices.csv", cohort=COHORTS),
        splits=expand(RESULTS / "cohorts/{cohort}/splits.csv", cohort=COHORTS),
        extents=expand(
            RESULTS / "regions/{way}/{model}/{cohort}.csv",
            cohort=COHORTS,
            model=EXTENTS,
            way=["extent", "extent_selected", "extent_all"],
        ),
        heads=expand(RESULTS / "heads/{model}/{cohort}.csv", cohort=COHORTS, model=HEADS),
    output:
        table=[
            RESULTS / "tables/readings.csv",
            RESULTS / "tables/readings.md",
            report(RESULTS / "tables/readings.html", **caption("readings", "3 Tables", table="Readings")),
        ],
    log:
        RESULTS / "logs/readings.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        **HEADS_READ,
        networks=NETWORKS,
        cohorts=TITLES["cohorts"],
        models=EXTENTS,
        regions=SETTINGS.regions.model_dump(),
        code=code_of("readings"),
    script:
        "../workflow_scripts/readings.py"
