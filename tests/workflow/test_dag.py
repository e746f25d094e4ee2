"""What Snakemake plans, and what stops it, with no data at hand."""

import re
import subprocess
import sys
from functools import reduce

import pytest
import yaml
from places import ROOT
from workflow import merged

PAPER = {
    "convert_cohort": 3,
    "split_cohort": 3,
    "assign_regions": 3,
    "plan_segmentation": 1,
    "preprocess_segmentation": 1,
    "preprocess_cohort": 3,
    "train_segmenter": 6,
    "fetch_weights": 7,
    "train_classifier": 7,
    "classify": 21,
    "select_classifier": 1,
    "predict_regions": 3,
    "calibrate": 1,
    "reliability": 1,
    "readings": 1,
    "predict": 15,
    "score": 15,
    "boundaries": 15,
    "table1": 1,
    "table3": 1,
    "boundary_table": 1,
    "figure2": 1,
    "cardiac_function": 1,
    "bland_altman": 3,
    "answers": 1,
    "forest": 3,
    "training_gain": 3,
    "provenance": 1,
    "cohort_summary": 1,
    "segmenter_curves": 1,
    "classifier_curves": 1,
    "example_slices": 3,
    "worst_cases": 3,
    "timings": 1,
    "budget": 1,
}

PACKAGES = ("torch", "torchvision", "nnunetv2", "scipy", "SimpleITK", "nibabel", "pydicom", "matplotlib")


def test_a_dry_run_without_data_shows_the_papers_jobs(workflow):
    assert workflow.planned() == PAPER


@pytest.mark.parametrize("look", [["--dag", "dot"], ["--rulegraph", "dot"], ["--summary"]])
def test_looking_works_without_data(workflow, look):
    answer = workflow.run(*look)
    assert answer.returncode == 0, answer.stderr
    assert "train_segmenter" in answer.stdout


def test_a_run_without_data_stops_before_the_first_job_and_names_folder_and_layout(workflow):
    answer = workflow.run("--cores", "1")
    assert answer.returncode != 0
    for cohort, folder, landmark in (
        ("nhs", "NHS", "cvi42wsx"),
        ("mnms", "MnMs", "Testing"),
        ("acdc", "ACDC", "Info.cfg"),
    ):
        (line,) = [line for line in answer.stderr.splitlines() if line.startswith(f"cohort {cohort}:")]
        assert str(workflow.folder / "data" / folder) in line
        assert landmark in line
    assert not (workflow.folder / "results").exists()


def test_a_ratio_is_a_new_row_and_adds_one_training(workflow):
    planned = workflow.planned(
        models={"sampling_50": {"sampling": "quadratic", "ratio": 50}},
        approaches={"sampling_50": {"title": "50", "router": "constant", "model": "sampling_50"}},
    )
    assert planned == {**PAPER, "train_segmenter": 7, "predict": 18, "score": 18, "boundaries": 18}


def test_the_remedies_add_their_trainings_and_approaches(workflow):
    planned = workflow.planned("--configfile", ROOT / "config.yaml", ROOT / "remedies.yaml")
    approaches = dict.fromkeys(("predict", "score", "boundaries"), 3 * 21)
    heads = {"name_regions": 3, "calibrate_head": 1, "read_head": 3}
    extents = {"find_extent": 3, "read_extent": 3, "weigh_extent": 6}
    plans = {"plan_variant": 2, "preprocess_segmentation": 2, "preprocess_cohort": 6}
    assert planned == {**PAPER, "train_segmenter": 18, "read_classifier": 6, **extents, **heads, **plans, **approaches}


IN_3D = {"sampling": "uniform", "configuration": "3d_fullres"}
STORES_3D = {"preprocess_segmentation": 2, "preprocess_cohort": 6}


def one_more(**row):
    """A new model and an approach that sends every slice to it."""
    approach = {"title": "Other", "router": "constant", "model": "other"}
    return {"models": {"other": {"sampling": "uniform", **row}}, "approaches": {"other": approach}}


@pytest.mark.parametrize(
    ("row", "jobs"),
    [
        ({}, {}),
        ({"configuration": "2d", "planner": "default"}, {}),
        ({"configuration": "3d_fullres"}, {"plan_variant": 1, **STORES_3D}),
        ({"planner": "resenc_m"}, {"plan_variant": 1}),  # nnU-Net's planners share the 2D store
        ({"configuration": "3d_fullres", "planner": "resenc_l"}, {"plan_variant": 2, **STORES_3D}),
    ],
    ids=["default", "named", "3d", "resenc", "3d_resenc"],
)
def test_only_what_a_model_names_is_planned_and_preprocessed(workflow, row, jobs):
    added = {"train_segmenter": 7, "predict": 18, "score": 18, "boundaries": 18}
    assert workflow.planned(**one_more(**row)) == {**PAPER, **added, **jobs}


def test_a_3d_model_may_be_the_model_of_a_region(workflow):
    planned = workflow.planned(models={"context": IN_3D}, approaches={"upper_bound": {"models": {"apex": "context"}}})
    assert planned == {**PAPER, "train_segmenter": 7, "plan_variant": 1, **STORES_3D}


@pytest.mark.parametrize(
    ("target", "stores"),
    [
        ("results/predictions/other/acdc/routes.csv", ["preprocessed_3d"]),
        ("results/predictions/upper_bound/acdc/routes.csv", ["preprocessed", "preprocessed_3d"]),
        ("results/predictions/baseline/acdc/routes.csv", ["preprocessed"]),
    ],
    ids=["3d", "both", "2d"],
)
def test_an_approach_needs_the_preprocessing_of_its_models_only(workflow, target, stores):
    changes = one_more(configuration="3d_fullres")
    changes["approaches"]["upper_bound"] = {"models": {"apex": "other"}}
    answer = workflow.run("-n", target, **changes)
    assert answer.returncode == 0, answer.stderr
    made = re.findall(r"output: results/cohorts/acdc/(preprocessed\w*)$", answer.stdout + answer.stderr, re.M)
    assert sorted(made) == stores


def test_a_3d_model_with_another_sampling_stops_a_dry_run_and_is_told_why(workflow):
    answer = workflow.run("-n", models={"base": {"configuration": "3d_fullres"}})
    assert answer.returncode != 0
    assert "models.base: configuration: 3d_fullres needs sampling: uniform" in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("size", "remedies"),
    [
        (["config.yaml"], ["remedies.yaml"]),
        (["config.yaml", "public/small.yaml"], ["remedies.yaml", "public/remedies.yaml"]),
        (["config.yaml", "demo/demo.yaml"], ["remedies.yaml", "demo/remedies.yaml"]),
    ],
)
def test_in_every_size_a_control_is_trained_as_long_as_what_it_controls(size, remedies):
    whole = reduce(merged, (yaml.safe_load((ROOT / name).read_text()) for name in (*size, *remedies)))
    own = {name: row["epochs"] for name, row in whole["models"].items() if "epochs" in row}
    own.pop("context_3d", None)  # counts in patches, which hold many slices
    usual = whole["segmentation"]["epochs"]
    regional = [own.pop(f"{region}_from_baseline") for region in ("base", "middle", "apex")]
    assert own == {"baseline_long": 4 * usual, "baseline_continued": sum(regional)}
    assert max(regional) < usual / 2


def test_a_model_that_trains_longer_gets_more_run_time_and_a_shorter_one_not_less(workflow):
    answer = workflow.run("-n", "--configfile", ROOT / "config.yaml", ROOT / "remedies.yaml")
    jobs = re.findall(
        r"^    wildcards: model=(\w+)\n    resources: .*runtime=(\d+)", answer.stdout + answer.stderr, re.M
    )
    minutes = {model: int(runtime) for model, runtime in jobs}
    assert minutes == {**dict.fromkeys(minutes, 36 * 60), "baseline_long": 4 * 36 * 60}
    assert len(minutes) == 18


def test_a_model_that_only_another_one_starts_from_is_trained_first(workflow):
    planned = workflow.planned(
        models={"first": {"sampling": "uniform"}, "second": {"sampling": "uniform", "starts_from": "first"}},
        approaches={"second": {"title": "Second", "router": "constant", "model": "second"}},
    )
    assert planned["train_segmenter"] == 8
    assert planned["predict"] == 18


def test_a_circle_of_starting_weights_stops_a_dry_run_and_is_named(workflow):
    answer = workflow.run("-n", models={"base": {"starts_from": "apex"}, "apex": {"starts_from": "base"}})
    assert answer.returncode != 0
    assert "apex -> base -> apex is a circle" in answer.stdout + answer.stderr


def test_a_cohort_is_a_new_row(workflow):
    planned = workflow.planned(cohorts={"ours": {"title": "Ours", "format": "nifti", "folder": "ours"}})
    assert planned["convert_cohort"] == 4
    assert planned["predict"] == planned["score"] == 20
    assert planned["train_segmenter"] == 6


NEW = {"title": "New", "format": "nifti", "folder": "new", "labels": "none", "frames": "all"}
SEGMENTED = {"convert_images": 1, "split_cohort": 4, "preprocess_cohort": 4, "patients_table": 1}


def test_a_cohort_without_labels_is_segmented_and_measured_and_takes_part_in_nothing_else(workflow):
    regions = {"classify": 28, "predict_regions": 4}
    added = {"predict": 19, "measure_function": 4}
    assert workflow.planned(cohorts={"new": NEW}) == {**PAPER, **SEGMENTED, **regions, **added}


def test_a_cohort_without_labels_is_segmented_by_the_approaches_of_its_row(workflow):
    planned = workflow.planned(cohorts={"new": {**NEW, "approaches": ["baseline"]}})
    assert planned == {**PAPER, **SEGMENTED, "predict": 16, "measure_function": 1}


def test_new_patients_alone_are_segmented_by_a_bundle_without_any_table_that_needs_labels(workflow):
    judge = yaml.safe_load((ROOT / "judge.yaml").read_text())
    theirs = {"cohorts": {"new": NEW}, "approaches": {"theirs": {"title": "Theirs", "bundle": "theirs"}}}
    planned = workflow.planned(**merged(judge, theirs))
    of_bundle = {"preprocess_bundled": 1, "predict_bundled": 1}
    measured = {"measure_function": 1, "patients_table": 1, "provenance": 1}
    assert planned == {"convert_images": 1, "split_cohort": 1, **of_bundle, **measured}


def test_an_extent_is_found_in_a_cohort_without_labels_too(workflow):
    planned = workflow.planned(
        cohorts={"new": {**NEW, "approaches": ["extent"]}}, approaches={"extent": {**EXTENT, "probabilities": True}}
    )
    assert (planned["find_extent"], planned["read_extent"], planned["weigh_extent"]) == (4, 3, 7)
    assert (planned["predict"], planned["score"], planned["classify"]) == (19, 18, 28)


def test_a_cohort_without_labels_and_without_a_folder_stops_a_run_with_its_layout(workflow):
    answer = workflow.run("--cores", "1", cohorts={"new": {**NEW, "format": "dicom"}})
    assert answer.returncode != 0
    (line,) = [line for line in answer.stderr.splitlines() if line.startswith("cohort new:")]
    assert "does not exist" in line and "with its DICOM files in any nesting" in line


def test_the_demo_makes_cines_of_new_patients(workflow):
    planned = workflow.planned("--configfile", ROOT / "config.yaml", ROOT / "demo/patients.yaml")
    assert (planned["make_demo_cohort"], planned["make_demo_cines"]) == (1, 2)
    assert (planned["convert_cohort"], planned["convert_images"]) == (1, 2)
    assert (planned["train_segmenter"], planned["predict"], planned["measure_function"]) == (1, 3, 2)


STACK = {"title": "Stack", "router": "classifier", "reading": "stack", "networks": "all"}
MODELS = {"base": "base", "middle": "middle", "apex": "apex", "non-cardiac": "baseline"}


def test_a_reading_is_a_new_row_and_adds_no_training(workflow):
    planned = workflow.planned(approaches={"stack": {**STACK, "models": MODELS}})
    assert planned == {**PAPER, "read_classifier": 3, "predict": 18, "score": 18, "boundaries": 18}


EXTENT = {"title": "Extent", "router": "extent", "extent_of": "baseline", "models": MODELS}
READ_EXTENTS = {"read_extent": 3, "weigh_extent": 6}  # all readings stand in the table of readings


@pytest.mark.parametrize("keys", [{}, {"probabilities": True}, {"probabilities": True, "networks": "all"}])
def test_an_extent_is_a_new_row_and_adds_no_training(workflow, keys):
    planned = workflow.planned(approaches={"extent": {**EXTENT, **keys}})
    assert planned == {**PAPER, "find_extent": 3, **READ_EXTENTS, "predict": 18, "score": 18, "boundaries": 18}


def test_rows_with_one_extent_share_its_segmentation(workflow):
    rows = {"first": EXTENT, "second": {**EXTENT, "title": "Second", "probabilities": True}}
    planned = workflow.planned(approaches=rows)
    assert planned == {**PAPER, "find_extent": 3, **READ_EXTENTS, "predict": 21, "score": 21, "boundaries": 21}


def test_a_model_whose_extent_is_read_is_trained_but_segments_no_slice_of_the_approach(workflow):
    answer = workflow.run(
        "-n",
        "results/predictions/extent/acdc/routes.csv",
        models={"outer": {"sampling": "uniform"}},
        approaches={"extent": {**EXTENT, "extent_of": "outer"}},
    )
    told = answer.stdout + answer.stderr
    (predict,) = re.findall(r"^rule predict:\n    input: (.*)$", told, re.M)
    assert "__outer/" not in predict
    assert re.search(r"^rule train_segmenter:\n(?:    .*\n)*    wildcards: model=outer$", told, re.M)


def test_names_of_models_with_underscores_are_told_apart(workflow):
    """Of `base` and `base_all`, each extent has a folder of its own."""
    planned = workflow.planned(
        models={name: {"sampling": "uniform"} for name in ("extent_all", "base_all", "all")},
        approaches={
            name: {**EXTENT, "title": name, "extent_of": name} for name in ("base", "base_all", "all", "extent_all")
        },
    )
    assert planned["find_extent"] == 4 * 3
    assert (planned["read_extent"], planned["weigh_extent"]) == (4 * 3, 4 * 6)


JOINT = {"joint": {"sampling": "uniform", "network": "joint"}}
HEAD = {"title": "Head", "router": "classifier", "head_of": "joint"}
HEAD_NAMED = {"train_segmenter": 7, "name_regions": 3, "calibrate_head": 1}


@pytest.mark.parametrize("segmented_by", [{"models": MODELS}, {"decoders_of": "joint"}], ids=["models", "decoders"])
@pytest.mark.parametrize("keys", [{}, {"reading": "stack"}, {"mixing": "soft"}], ids=["slice", "stack", "soft"])
def test_a_head_is_a_new_row_and_adds_the_training_of_its_model_alone(workflow, segmented_by, keys):
    planned = workflow.planned(models=JOINT, approaches={"head": {**HEAD, **segmented_by, **keys}})
    assert planned == {**PAPER, **HEAD_NAMED, "read_head": 3, "predict": 18, "score": 18, "boundaries": 18}


def test_both_readings_of_a_head_share_its_probabilities(workflow):
    row = {**HEAD, "decoders_of": "joint"}
    rows = {"first": row, "second": {**row, "title": "Second", "reading": "stack"}}
    planned = workflow.planned(models=JOINT, approaches=rows)
    assert planned == {**PAPER, **HEAD_NAMED, "read_head": 6, "predict": 21, "score": 21, "boundaries": 21}


def test_decoders_by_the_reference_regions_need_no_head(workflow):
    row = {"title": "Best", "router": "reference", "decoders_of": "joint"}
    planned = workflow.planned(models=JOINT, approaches={"best": row})
    assert planned == {**PAPER, "train_segmenter": 7, "predict": 18, "score": 18, "boundaries": 18}


def test_an_approach_by_the_head_of_a_joint_model_needs_no_classifier(workflow):
    row = {**HEAD, "reading": "stack", "decoders_of": "joint"}
    planned = workflow.planned("results/scores/head/acdc.csv", models=JOINT, approaches={"head": row})
    assert not planned.keys() & {"train_classifier", "classify", "select_classifier", "calibrate"}
    assert planned["train_segmenter"] == 1


def test_a_head_of_a_model_that_has_none_stops_a_dry_run_and_is_told_why(workflow):
    answer = workflow.run("-n", approaches={"head": {**HEAD, "head_of": "baseline", "models": MODELS}})
    assert answer.returncode != 0
    assert "approaches.head.head_of: 'baseline' has no head" in answer.stdout + answer.stderr


def test_without_a_classified_approach_no_region_is_predicted(workflow):
    planned = workflow.planned(approaches={"classification": None})
    assert "predict_regions" not in planned
    assert planned["answers"] == 1


def test_rows_with_one_reading_share_its_regions(workflow):
    planned = workflow.planned(
        approaches={name: {**STACK, "title": name, "models": MODELS} for name in ("first", "second")}
    )
    assert planned == {**PAPER, "read_classifier": 3, "predict": 21, "score": 21, "boundaries": 21}


@pytest.mark.parametrize(("approach", "read"), [("baseline", {}), ("classification", {"read_classifier": 3})])
def test_the_label_maps_of_the_named_approaches_are_flagged(workflow, approach, read):
    planned = workflow.planned(quality={"approaches": [approach]})
    assert planned == {**PAPER, **read, "find_flags": 3, "flag_worth": 1, "flag_page": 3}


def test_the_flags_of_any_approach_can_be_named_as_a_target(workflow):
    planned = workflow.planned("results/patients/baseline/acdc/qc.html")
    assert (planned["find_flags"], planned["flag_worth"], planned["flag_page"]) == (3, 1, 1)


def test_an_approach_that_knows_the_reference_is_not_asked_whether_it_agrees(workflow):
    answer = workflow.run("-n", "results/patients/baseline/acdc/qc.csv")
    (flags,) = re.findall(r"^rule find_flags:\n    input: (.*)$", answer.stdout + answer.stderr, re.M)
    asked = re.findall(r"predictions/(\w+)/acdc/labels", flags)
    assert asked == ["baseline", "sampling_low", "sampling_high", "classification"]


def test_a_model_that_no_approach_uses_is_not_trained(workflow):
    assert workflow.planned(approaches={"sampling_low": None})["train_segmenter"] == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segmentation": {"epoch": 5}}, "segmentation.epoch: unknown key; did you mean 'epochs'?"),
        ({"approaches": {"baseline": {"model": "best"}}}, "approaches.baseline: 'best' is not defined"),
        ({"splits": {"train": 0.5, "validation": 0.2, "test": 0.2}}, "splits: train, validation and test sum to 0.9"),
    ],
)
def test_a_faulty_configuration_stops_a_dry_run_with_the_key(workflow, changes, message):
    answer = workflow.run("-n", **changes)
    assert answer.returncode != 0
    assert message in answer.stdout + answer.stderr


def test_a_key_written_twice_in_a_file_stops_a_dry_run_with_both_lines(workflow):
    file = workflow.folder / "mine.yaml"
    file.write_text("seed: 1\nresults: mine\nseed: 2\n")
    answer = workflow.run("-n", "--configfile", file)
    assert answer.returncode != 0
    assert f"{file}, lines 1 and 3: seed: is written twice" in answer.stdout + answer.stderr


def test_a_nested_config_argument_takes_numbers(workflow):
    arguments = (
        "--config",
        "segmentation={epochs: 5, learning_rate: 1e-3}",
        "splits={train: 8, validation: 2, test: 2}",
    )
    assert workflow.planned(*arguments) == PAPER


def test_loading_the_snakefile_imports_no_package_of_the_jobs(workflow):
    code = (
        "import sys\nfrom snakemake.cli import main\n"
        f"sys.argv = ['snakemake', '-n', '-q', '-s', {str(ROOT / 'Snakefile')!r}, '-d', {str(workflow.folder)!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {[*PACKAGES, 'cmrslices']} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "loaded: ['cmrslices']" in answer.stdout, answer.stderr


def test_the_linter_is_content(workflow):
    answer = workflow.run("--lint")
    assert answer.returncode == 0, answer.stdout + answer.stderr
