"""Run time and memory of the jobs."""

import numpy as np
import pandas as pd
import pytest

from cmrslices.report.timings import (
    duration,
    read_benchmarks,
    sum_by_rule,
    training_seconds,
    with_training_time,
    write_timings,
)

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def benchmarks(tmp_path):
    """A plan, and two predictions of which one was too short for Snakemake to measure its memory."""
    rows = {
        "plan.tsv": "3661.2\t1:01:01\t2048.0\t1\t1\t1\t1\t1\t50\t100\n",
        "predict/baseline/nhs.tsv": "10\t0:00:10\t512\t1\t1\t1\t1\t1\t50\t5\n",
        "predict/baseline/acdc.tsv": "20\t0:00:20\t-\t-\t-\t-\t-\t-\t-\t1\n",
    }
    for name, row in rows.items():
        file = tmp_path / "benchmarks" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEADER + row)
    return tmp_path / "benchmarks"


@pytest.fixture
def trainings(tmp_path):
    """Seconds of the epochs of two segmenters and of a classifier, as the trainings recorded them."""
    curves, history = tmp_path / "segmenter_curves.csv", tmp_path / "history.csv"
    curves.write_text("model,epoch,seconds\nbaseline,1,10.5\nbaseline,2,9.5\napex,1,3\n")
    history.write_text("epoch,train_loss,seconds\n1,0.5,4\n2,0.4,5\n")
    return curves, {"resnet18": history}


def test_a_training_takes_the_time_of_all_its_epochs(trainings):
    assert training_seconds(*trainings) == {
        ("train_segmenter", "baseline"): 20,
        ("train_segmenter", "apex"): 3,
        ("train_classifier", "resnet18"): 9,
    }


def test_a_training_whose_last_try_was_short_keeps_the_time_of_its_epochs(trainings):
    rows = [("train_segmenter", "baseline", 1.5), ("train_segmenter", "apex", 8.0), ("predict", "baseline/nhs", 2.0)]
    jobs = with_training_time(pd.DataFrame(rows, columns=["rule", "job", "wall_s"]), training_seconds(*trainings))
    assert jobs["wall_s"].tolist() == [20, 8, 2]


def test_a_job_is_named_by_its_rule_and_wildcards(benchmarks):
    jobs = read_benchmarks(benchmarks)
    names = [["plan", ""], ["predict", "baseline/acdc"], ["predict", "baseline/nhs"]]
    assert jobs[["rule", "job"]].to_numpy().tolist() == names
    assert jobs["max_rss_mb"].fillna(-1).tolist() == [2048, -1, 512]


def test_rules_are_summed_and_the_longest_comes_first(benchmarks):
    rules = sum_by_rule(read_benchmarks(benchmarks))
    assert rules[["rule", "jobs", "wall_s", "longest_s", "max_rss_mb"]].to_numpy().tolist() == [
        ["plan", 1, 3661.2, 3661.2, 2048],
        ["predict", 2, 30, 20, 512],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00:00"), (59.6, "0:01:00"), (3661, "1:01:01"), (100 * 3600, "100:00:00"), (np.nan, "")],
)
def test_durations_are_in_hours_minutes_and_seconds(seconds, text):
    assert duration(seconds) == text


def test_the_page_and_the_csv_have_every_job(benchmarks, trainings, tmp_path):
    write_timings(benchmarks, *trainings, tmp_path / "timings.csv", tmp_path / "timings.html")
    assert len(pd.read_csv(tmp_path / "timings.csv")) == 3
    text = (tmp_path / "timings.html").read_text()
    assert "1:01:01" in text
    assert "baseline, nhs" in text


def test_without_benchmarks_the_page_is_empty(trainings, tmp_path):
    write_timings(tmp_path / "none", *trainings, tmp_path / "timings.csv", tmp_path / "timings.html")
    assert pd.read_csv(tmp_path / "timings.csv").empty
