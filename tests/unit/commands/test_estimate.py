"""The plan of a run: Snakemake's own jobs, the paper's hours scaled, disk by the raw files, what is missing."""

import subprocess
import sys

import pytest
import yaml
from places import ROOT

from cmrslices.commands import estimate, snakemake_call
from cmrslices.config import load_settings

PAPER = yaml.safe_load((ROOT / "config.yaml").read_text())
JOBS = {
    "convert_cohort": 3,
    "preprocess_segmentation": 1,
    "preprocess_cohort": 3,
    "train_segmenter": 6,
    "train_classifier": 7,
    "predict": 15,
}
PRINTED = """\
Building DAG of jobs...
Job stats:
job                 count
----------------  -------
train_segmenter         6
table1                  1
all                     1
total                   8

rule train_segmenter:
Job stats:
job                 count
----------------  -------
train_segmenter         6
table1                  1
all                     1
total                   8
"""


def settings(**sections):
    return load_settings({**PAPER, **{name: {**PAPER[name], **keys} for name, keys in sections.items()}})


@pytest.fixture
def acdc(tmp_path):
    """A raw folder with two patients; conversion reads four files of 100 bytes of each."""
    for name in ("patient001", "patient002"):
        folder = tmp_path / "training" / name
        folder.mkdir(parents=True)
        (folder / "Info.cfg").write_text("ED: 1\nES: 9\n")
        (folder / f"{name}_4d.nii.gz").write_bytes(bytes(5000))
        for frame in ("01", "09"):
            for ending in ("", "_gt"):
                (folder / f"{name}_frame{frame}{ending}.nii.gz").write_bytes(bytes(100))
    return {"format": "acdc", "folder": str(tmp_path), "exclude": {}}


def test_jobs_are_read_from_what_a_dry_run_prints():
    assert snakemake_call.read_jobs(PRINTED) == {"train_segmenter": 6, "table1": 1}


def test_the_models_to_train_are_read_from_what_a_dry_run_prints():
    job = "rule {}:\n    input: a, b\n    reason: Missing files: x\n    wildcards: model={}\n    resources: gpu=1\n"
    jobs = [job.format("train_segmenter", "base"), job.format("other", "middle"), job.format("train_segmenter", "apex")]
    assert snakemake_call.read_models("\n".join(jobs)) == ["base", "apex"]


def test_a_finished_run_has_no_jobs():
    assert snakemake_call.read_jobs("Nothing to be done (all requested files are present and up to date).\n") == {}


def test_the_papers_sizes_take_the_papers_hours():
    assert estimate.hours_per_job(settings(), 3382) == {"train_segmenter": 24, "train_classifier": 42}


def test_a_segmenters_hours_scale_with_its_mini_batches():
    smaller = settings(segmentation={"epochs": 100, "iterations_per_epoch": 125, "batch_size": 16})
    assert estimate.hours_per_job(smaller, 3382)["train_segmenter"] == pytest.approx(24 / 40)


def test_a_models_own_epochs_scale_its_hours():
    rows = {"long": {"sampling": "uniform", "epochs": 4000}, "short": {"sampling": "uniform", "epochs": 100}}
    assert estimate.segmenter_hours(settings(models=rows), ["long", "baseline", "short"]) == pytest.approx(
        [96, 24, 2.4]
    )


def test_an_approach_takes_the_hours_of_all_that_is_trained_for_it():
    hours = estimate.approach_hours(settings(), 3382)
    assert hours["baseline"] == pytest.approx((24, 0))
    assert hours["classification"] == pytest.approx((4 * 24, 7 * 42))
    assert hours["upper_bound"] == pytest.approx((4 * 24, 0))


def test_a_models_own_batch_size_scales_its_hours():
    rows = {"small": {"sampling": "uniform", "batch_size": 8}}
    assert estimate.segmenter_hours(settings(models=rows), ["small"]) == pytest.approx([6])


def test_the_papers_hours_say_nothing_about_3d_and_residual_encoders():
    rows = {
        "context": {"sampling": "uniform", "configuration": "3d_fullres"},
        "strong": {"sampling": "uniform", "planner": "resenc_m"},
        "same": {"sampling": "uniform", "planner": "default", "configuration": "2d"},
    }
    assert estimate.other_networks(settings(models=rows), ["baseline", *rows]) == ["context", "strong"]


def test_a_classifiers_hours_scale_with_epochs_and_patients():
    smaller = settings(classification={"epochs": 500})
    assert estimate.hours_per_job(smaller, 1691)["train_classifier"] == pytest.approx(42 / 4)


@pytest.mark.parametrize(("at_once", "hours"), [(1, 10), (2, 6), (3, 6), (8, 6)])
def test_wall_time_is_that_of_the_jobs_at_once(at_once, hours):
    assert estimate.wall_hours([2, 6, 2], at_once) == hours


def test_raw_data_are_counted_by_the_files_that_conversion_reads(acdc):
    assert estimate.look_at(acdc) == estimate.Raw(patients=2, size_bytes=800)


def test_excluded_patients_are_not_counted(acdc):
    assert estimate.look_at({**acdc, "exclude": {"patient001": "blurred"}}) == estimate.Raw(1, 400)


def test_an_absent_raw_folder_is_not_counted(tmp_path):
    assert estimate.look_at({"format": "acdc", "folder": str(tmp_path / "absent"), "exclude": {}}) is None


def test_disk_grows_with_the_raw_data():
    raw = dict.fromkeys(PAPER["cohorts"], estimate.Raw(1, 1_000_000))
    sizes = estimate.disk_bytes(settings(), JOBS, raw)
    assert sizes["converted cohorts"] == pytest.approx(3e6)
    assert sizes["nnU-Net's store"] == pytest.approx(4e6 * (3382 + 846) / 4684)
    assert sizes["preprocessed cohorts"] == pytest.approx(4e6 * (3 - 3382 / 4684))
    assert sizes["predictions"] == pytest.approx(3e6 * 0.011 * 5)


def test_disk_is_needed_only_for_what_is_to_be_run():
    raw = dict.fromkeys(PAPER["cohorts"], estimate.Raw(1, 1_000_000))
    assert estimate.disk_bytes(settings(), {"table1": 1, "train_segmenter": 1}, raw) == {
        "segmenters and their checkpoints": estimate.SEGMENTER_BYTES
    }


def test_missing_initial_weights_are_named(tmp_path):
    config = settings(classification={"networks": {"resnet18": "ResNet"}, "initial_weights": str(tmp_path)})
    assert estimate.missing(config, {}) == [f"classification.initial_weights: no file {tmp_path / 'resnet18.pth'}"]


def test_a_call_is_read_with_its_profile_and_overlays(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("segmentation: { epochs: 7 }\ncohorts: { acdc: null }\n")
    arguments = ["--profile", "slurm", "--configfile", str(overlay), "--config", "seed=3", "--directory", str(tmp_path)]
    call = snakemake_call.read_call(arguments)
    limits = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())["resources"]
    assert f"gpu={call.gpu_jobs}" in limits
    assert call.settings.segmentation.epochs == 7
    assert call.settings.seed == 3
    assert list(call.settings.cohorts) == ["nhs", "mnms"]
    assert call.folder == tmp_path


def test_a_call_may_leave_the_gpu_jobs_open(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert snakemake_call.read_call(["--cores", "8"]).gpu_jobs is None


def command(folder, *arguments):
    script = ROOT / "workflow_scripts/plan_run.py"
    call = [sys.executable, script, "-s", ROOT / "Snakefile", "--directory", folder, *arguments]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True)


def test_the_command_prints_the_papers_plan_and_what_is_missing(tmp_path):
    answer = command(tmp_path, "--profile", "slurm")
    assert answer.returncode == 0, answer.stderr
    words = [" ".join(line.split()) for line in answer.stdout.splitlines()]
    for line in (
        "train_segmenter 6",
        "train_segmenter 6 24.0 h 144.0 h",
        "train_classifier 7 42.0 h 294.0 h",
        "together 13 438.0 h",
        "upper_bound 4.00 96.0 h none",
    ):
        assert line in words
    assert "an estimate" in answer.stdout
    assert f"the folder {tmp_path / 'data/NHS'} does not exist" in answer.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("quiet", [[], ["--quiet", "rules"]], ids=["usual", "quiet"])
def test_the_command_counts_the_epochs_of_each_model(tmp_path, quiet):
    answer = command(tmp_path, "--configfile", ROOT / "remedies.yaml", *quiet)
    assert answer.returncode == 0, answer.stderr
    words = [" ".join(line.split()) for line in answer.stdout.splitlines()]
    for line in (
        "train_segmenter 11 24.0 h 264.0 h",
        "train_segmenter 1 96.0 h 96.0 h",
        "train_segmenter 3 2.4 h 7.2 h",
        "train_segmenter 1 7.2 h 7.2 h",
        "together 23 668.4 h",
        "sampling_low 1.00 24.0 h",
        "classification 4.00 96.0 h 294.0 h baseline_long",
        "from_baseline 1.30 31.2 h 294.0 h baseline_continued",
        "baseline_long 4.00 96.0 h itself",
        "resenc_m 1.00 unknown",
        "context_3d unknown unknown",
    ):
        assert line in words
    assert any(line.startswith("Not counted: context_3d, resenc_m, in 3D or with a residual encoder") for line in words)
    assert any(line.endswith("Not counted: what context_3d, resenc_m take beyond the other models.") for line in words)


def test_the_command_stops_at_a_faulty_configuration(tmp_path):
    answer = command(tmp_path, "--config", "training_cohort=none")
    assert answer.returncode == 1
    assert "training_cohort: 'none' is not defined" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_row_that_one_file_removes_and_a_later_one_sets_is_there_as_in_snakemake(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("{cohorts: {acdc: {folder: raw}}, approaches: {ours: {title: Ours, predictions: given}}}")
    settings = snakemake_call.read_call(["--configfile", str(ROOT / "judge.yaml"), str(mine)]).settings
    assert settings.cohorts["acdc"].format == "acdc"
    assert list(settings.approaches) == ["ours"]


GIVEN = {
    "cohorts": {"acdc": PAPER["cohorts"]["acdc"]},
    "approaches": {"ours": {"title": "Ours", "predictions": "given/ours"}},
    "evaluation": {**PAPER["evaluation"], "baseline": None},
}


def test_the_disk_of_given_label_maps_is_told_without_a_training_cohort():
    raw = {"acdc": estimate.Raw(patients=1, size_bytes=1_000_000)}
    sizes = estimate.disk_bytes(load_settings({**PAPER, **GIVEN}), {"read_predictions": 1}, raw)
    assert sizes == {"given label maps": pytest.approx(1e6 * 0.011)}


def test_missing_folders_of_label_maps_are_named_with_their_key(tmp_path):
    settings = load_settings({**PAPER, **GIVEN})
    (fault,) = estimate.missing_folders(settings, tmp_path)
    assert fault == f"approaches.ours.predictions: the folder {tmp_path / 'given/ours'} does not exist"
    (tmp_path / "given/ours").mkdir(parents=True)
    assert estimate.missing_folders(settings, tmp_path) == []


def test_bundles_take_disk_for_each_cohort_and_a_missing_one_is_named_with_its_key(tmp_path):
    settings = load_settings({**PAPER, **GIVEN, "approaches": {"theirs": {"title": "Theirs", "bundle": "theirs"}}})
    raw = {"acdc": estimate.Raw(patients=1, size_bytes=1_000_000)}
    jobs = {"preprocess_bundled": 1, "predict_bundled": 1}
    assert estimate.disk_bytes(settings, jobs, raw) == {
        "cohorts preprocessed for bundles": pytest.approx(4e6),
        "predictions by bundles": pytest.approx(1e6 * 0.011),
    }
    (fault,) = estimate.missing_folders(settings, tmp_path)
    assert fault == f"approaches.theirs.bundle: the folder {tmp_path / 'theirs'} does not exist"


def test_of_a_cohort_without_labels_the_images_are_counted_and_its_layout_is_asked_for(acdc, tmp_path):
    row = {**acdc, "labels": "none", "frames": "all"}
    assert estimate.look_at(row) == estimate.Raw(patients=2, size_bytes=10_000)
    assert estimate.look_at({**row, "frames": "listed"}) == estimate.Raw(patients=2, size_bytes=400)
    empty = {**row, "folder": str(tmp_path / "gone")}
    config = settings(cohorts={"new": {"title": "New", **empty}}, classification={"initial_weights": "none"})
    (fault,) = estimate.missing(config, {"new": empty})
    assert "patientNNN_4d.nii.gz" in fault
