"""The whole workflow on SLURM, with the profile as it is."""

import re

import pandas as pd
from submission import Submission
from trainings import ONE_COHORT
from workflow import merged

TWO_MODELS = merged(
    ONE_COHORT,
    {
        "models": {"sampling_low": None, "sampling_high": None, "base": None, "middle": None},
        "approaches": {
            **{"sampling_low": None, "sampling_high": None, "upper_bound": None},
            "classification": {"models": {"base": "apex", "middle": "baseline"}},
        },
    },
)
CPU_RULES = {
    "make_demo_cohort",
    "convert_cohort",
    "assign_regions",
    "plan_segmentation",
    "preprocess_segmentation",
    "preprocess_cohort",
    "score",
    "boundaries",
}
GPU_RULES = {"train_segmenter", "train_classifier", "classify", "predict"}


def test_the_whole_workflow_runs_with_the_profile_as_it_is(idle_cluster, tmp_path):
    whole = Submission(idle_cluster, tmp_path, TWO_MODELS)
    try:
        whole.run()
    finally:
        whole.kill()
    assert len(pd.read_csv(tmp_path / "results/tables/table3.csv")) == 1 * 3 * 4
    assert (tmp_path / "results/figures/figure2.pdf").stat().st_size > 0
    logs = tmp_path / "results/logs/slurm"
    assert {path.name.removeprefix("rule_") for path in logs.iterdir()} == CPU_RULES | GPU_RULES
    assert {path.name for path in (logs / "rule_train_segmenter").iterdir()} >= {"baseline", "apex"}
    gpu_jobs = sum(len(list((logs / f"rule_{rule}").rglob("*.log"))) for rule in GPU_RULES)
    run = re.search("SLURM run ID: (.+)", whole.said)[1]
    jobs = [job for job in idle_cluster.run("scontrol", "-o", "show", "job").splitlines() if run in job]
    on_gpus = [job for job in jobs if "Partition=gpu" in job]
    assert len(on_gpus) == gpu_jobs
    assert [job for job in jobs if "gpu:1" in job] == on_gpus
    assert "Nothing to be done" in whole.answer("-n").stdout
