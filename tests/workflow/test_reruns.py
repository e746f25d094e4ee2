"""What a change re-runs after a complete run: keys, rows, raw cases, library modules and scripts, one at a time."""

import re
import shutil
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from places import LIBRARY, ROOT
from workflow import DEMO, job_counts, unforked_snakemake

from cmrslices.config import described_keys
from cmrslices.runtime import code_digest

# ---- Configuration ----------------------------------------------------------

STARRED = {"table1": 1, "table3": 1, "provenance": 1, "timings": 1}
ANSWERS = {"answers": 1, "forest": 3, "training_gain": 3}


def without_gain(jobs):
    """The jobs where the baseline is no plain one, so that nothing is drawn beside it."""
    return {name: count for name, count in jobs.items() if name != "training_gain"}


COMPARED = {**STARRED, **ANSWERS, "budget": 1}
TABLES = {**COMPARED, "boundary_table": 1}
PICTURES = {"example_slices": 3, "worst_cases": 3}
FUNCTION = {"cardiac_function": 1, "bland_altman": 3}
RESULTS = {**TABLES, "figure2": 1, **FUNCTION, **PICTURES}
SEGMENTED = {"predict": 15, "score": 15, "boundaries": 15, **RESULTS}
THREE_APPROACHES = {"predict": 9, "score": 9, "boundaries": 9}
ONE_APPROACH = {
    **{name: count for name, count in RESULTS.items() if name != "table1"},
    **{"predict": 3, "score": 3, "boundaries": 3},
}
CALIBRATED = {"calibrate": 1, "reliability": 1}
SELECTED = {"select_classifier": 1, "predict_regions": 3, "readings": 1, **ONE_APPROACH}
PROBABLE = {**SELECTED, **CALIBRATED}
CLASSIFIED = {"train_classifier": 2, "classifier_curves": 1, "classify": 6, **PROBABLE}
TRAINED = {"train_segmenter": 6, "segmenter_curves": 1, **SEGMENTED}
EVERYTHING_TRAINED = {**CLASSIFIED, **TRAINED}
PLANNED = {"plan_segmentation": 1, "preprocess_segmentation": 1, "preprocess_cohort": 3, **EVERYTHING_TRAINED}
SPLIT = {"cohort_summary": 1, **PLANNED}
EVERYTHING = {"convert_cohort": 3, "split_cohort": 3, "assign_regions": 3, **SPLIT}
EXTERNAL_COHORT = {
    "convert_cohort": 1,
    "split_cohort": 1,
    "assign_regions": 1,
    "cohort_summary": 1,
    "preprocess_cohort": 1,
    "classify": 2,
    "predict_regions": 1,
    "readings": 1,
    "predict": 5,
    "score": 5,
    "boundaries": 5,
    "example_slices": 1,
    "worst_cases": 1,
    "cardiac_function": 1,
    "bland_altman": 1,
    **TABLES,
}
TRAINING_COHORT = {**EVERYTHING, "convert_cohort": 1, "split_cohort": 1, "assign_regions": 1}
ONE_MODEL = {**ONE_APPROACH, "train_segmenter": 1, "segmenter_curves": 1}
ONE_REGION_MODEL = {
    **ONE_APPROACH,
    "train_segmenter": 1,
    "segmenter_curves": 1,
    "predict": 6,
    "score": 6,
    "boundaries": 6,
}
PLANNED_IN_3D = {"plan_variant": 1, "preprocess_segmentation": 1, "preprocess_cohort": 3}
WITHOUT_PREDICT = {name: count for name, count in ONE_APPROACH.items() if name != "predict"}
ONE_GIVEN = {**WITHOUT_PREDICT, "read_predictions": 3}
ONE_BUNDLED = {**WITHOUT_PREDICT, "preprocess_bundled": 3, "predict_bundled": 3}
ONE_GIVEN_WITH_ALL = {"read_predictions": 3, "score": 18, "boundaries": 18}
RECORD = {"provenance": 1}  # the key is written down, and changes nothing else
CONVERTED_IMAGES = {"convert_images": 1, "split_cohort": 1, "preprocess_cohort": 1, **RECORD}
MEASURED = {"measure_function": 4, "patients_table": 1}
NEW_COHORT = {**CONVERTED_IMAGES, "classify": 2, "predict_regions": 1, "predict": 4, **MEASURED}
WITHOUT_LABELS = {
    **{**NEW_COHORT, **TABLES, "forest": 2, "training_gain": 2},  # of the other cohorts
    **{"cohort_summary": 1, "readings": 1, "cardiac_function": 1},
}


EXTENT = {"router": "extent", "extent_of": "baseline"}
JOINT = {"joint": {"sampling": "uniform", "network": "joint"}}
HEAD_READ = {"name_regions": 3, "calibrate_head": 1, "read_head": 3, "readings": 1, "reliability": 1}
EXTENTS_READ = {"find_extent": 3, "read_extent": 3, "weigh_extent": 6, "readings": 1}


def nhs(**row):
    return {"cohorts": {"nhs": row}}


def new(**row):
    """A cohort without labels beside the others."""
    return {"cohorts": {"new": {"title": "New", "format": "nifti", "folder": "raw/nhs", "labels": "none", **row}}}


def acdc(**row):
    return {"cohorts": {"acdc": row}}


def given(**row):
    return {"approaches": {"given": {"title": "Given", "predictions": "given", **row}}}


def segmentation(**keys):
    return {"segmentation": keys}


def classification(**keys):
    return {"classification": keys}


KEYS = {
    "results": ({"results": "elsewhere"}, EVERYTHING),
    "seed": ({"seed": 7}, {**SPLIT, "split_cohort": 3}),
    "deterministic": ({"deterministic": True}, EVERYTHING_TRAINED),
    "precision": ({"precision": "fp32"}, EVERYTHING_TRAINED),
    "shared_cores": ({"shared_cores": False}, RECORD),
    "cohorts.<name>.title": (
        acdc(title="Other"),
        {
            **TABLES,
            "readings": 1,
            "cohort_summary": 1,
            "cardiac_function": 1,
            "bland_altman": 1,
            "example_slices": 1,
            "worst_cases": 1,
        },
    ),
    "cohorts.<name>.format": (acdc(format="nifti"), EXTERNAL_COHORT),
    "cohorts.<name>.folder": (acdc(folder="raw/mnms"), EXTERNAL_COHORT),
    "cohorts.<name>.exclude": (acdc(exclude={"patient001": "blurred"}), EXTERNAL_COHORT),
    "cohorts.<name>.labels": (acdc(labels="none"), WITHOUT_LABELS),
    "cohorts.<name>.frames": (new(frames="all"), NEW_COHORT),
    "cohorts.<name>.approaches": (
        new(approaches=["baseline"]),
        {**CONVERTED_IMAGES, "predict": 1, "measure_function": 1, "patients_table": 1},
    ),
    "cohorts.<name>.csv": (nhs(csv="other.csv"), TRAINING_COHORT),
    "cohorts.<name>.label_map": (nhs(label_map={"LVBP": 2, "LVM": 1}), TRAINING_COHORT),
    "cohorts.<name>.label_map.LVBP": (nhs(label_map={"LVBP": 4}), TRAINING_COHORT),
    "cohorts.<name>.label_map.LVM": (nhs(label_map={"LVM": 4}), TRAINING_COHORT),
    "cohorts.<name>.label_map.RVBP": (nhs(label_map={"RVBP": 4}), TRAINING_COHORT),
    "cohorts.<name>.name_key": (acdc(name_key="key.txt"), EXTERNAL_COHORT),
    "training_cohort": (
        {"training_cohort": "acdc"},
        {**SPLIT, "split_cohort": 2},
    ),
    "splits.train": ({"splits": {"train": 0.4, "validation": 0.35}}, {**SPLIT, "split_cohort": 1}),
    "splits.validation": ({"splits": {"validation": 0.2, "test": 0.3}}, {**SPLIT, "split_cohort": 1}),
    "splits.test": ({"splits": {"test": 0.2, "train": 0.55}}, {**SPLIT, "split_cohort": 1}),
    "splits.fold": ({"splits": {"fold": 2}}, {**SPLIT, "split_cohort": 1}),
    "regions.base": ({"regions": {"base": 0.3}}, {**EVERYTHING_TRAINED, "assign_regions": 3, "cohort_summary": 1}),
    "regions.apex": ({"regions": {"apex": 0.3}}, {**EVERYTHING_TRAINED, "assign_regions": 3, "cohort_summary": 1}),
    "regions.rule": ({"regions": {"rule": "ends"}}, {**EVERYTHING_TRAINED, "assign_regions": 3, "cohort_summary": 1}),
    "models.<name>.sampling": (
        {"models": {"baseline": {"sampling": "region", "region": "base"}}},
        {**without_gain(SEGMENTED), "train_segmenter": 1, "segmenter_curves": 1, **THREE_APPROACHES},
    ),
    "models.<name>.configuration": (
        {"models": {"baseline": {"configuration": "3d_fullres"}}},
        {
            **without_gain(SEGMENTED),
            **PLANNED_IN_3D,
            **{"train_segmenter": 1, "segmenter_curves": 1, **THREE_APPROACHES},
        },
    ),
    "models.<name>.planner": (
        {"models": {"sampling_low": {"planner": "resenc_m"}}},
        {**ONE_MODEL, "plan_variant": 1},
    ),
    "models.<name>.batch_size": ({"models": {"sampling_low": {"batch_size": 3}}}, ONE_MODEL),
    "models.<name>.ratio": ({"models": {"sampling_low": {"ratio": 5}}}, ONE_MODEL),
    "models.<name>.epochs": ({"models": {"sampling_low": {"epochs": 2}}}, ONE_MODEL),
    "models.<name>.learning_rate": ({"models": {"sampling_low": {"learning_rate": 0.02}}}, ONE_MODEL),
    "models.<name>.seed": ({"models": {"sampling_low": {"seed": 7}}}, ONE_MODEL),
    "models.<name>.starts_from": ({"models": {"sampling_low": {"starts_from": "baseline"}}}, ONE_MODEL),
    "models.<name>.network": (
        {"models": {"baseline": {"network": "joint"}}},
        {**without_gain(SEGMENTED), "train_segmenter": 1, "segmenter_curves": 1, **THREE_APPROACHES},
    ),
    "models.<name>.region": ({"models": {"base": {"region": "apex"}}}, ONE_REGION_MODEL),
    "segmentation.epochs": (segmentation(epochs=2), TRAINED),
    "segmentation.iterations_per_epoch": (segmentation(iterations_per_epoch=3), TRAINED),
    "segmentation.validation_iterations": (segmentation(validation_iterations=2), TRAINED),
    "segmentation.batch_size": (segmentation(batch_size=3), TRAINED),
    "segmentation.learning_rate": (segmentation(learning_rate=0.02), TRAINED),
    "segmentation.checkpoint_every": (segmentation(checkpoint_every=3), RECORD),
    "segmentation.mirroring": (segmentation(mirroring=True), SEGMENTED),
    "segmentation.joint": (segmentation(joint={"loss_weight": 1.0, "label_smoothing": 0.1}), RECORD),
    "segmentation.joint.loss_weight": (segmentation(joint={"loss_weight": 1.0}), RECORD),
    "segmentation.joint.label_smoothing": (segmentation(joint={"label_smoothing": 0.1}), RECORD),
    "segmentation.joint.learning_rate": (segmentation(joint={"learning_rate": 0.001}), RECORD),
    "segmentation.plan": (
        segmentation(plan={"spacing_mm": None, "patch_size_px": None, "features": None}),
        PLANNED,
    ),
    "segmentation.plan.spacing_mm": (segmentation(plan={"spacing_mm": [3.0, 3.0]}), PLANNED),
    "segmentation.plan.patch_size_px": (segmentation(plan={"patch_size_px": [48, 48]}), PLANNED),
    "segmentation.plan.features": (segmentation(plan={"features": [4, 8, 16]}), PLANNED),
    "classification.networks": (
        classification(networks={"squeezenet1_0": "Other"}),
        {**PROBABLE, "classifier_curves": 1},  # the overlay also changes the order of the networks
    ),
    "classification.epochs": (classification(epochs=2), CLASSIFIED),
    "classification.batch_size": (classification(batch_size=3), CLASSIFIED),
    "classification.learning_rate": (classification(learning_rate=0.1), CLASSIFIED),
    "classification.loss_weights": (classification(loss_weights="balanced"), CLASSIFIED),
    "classification.initial_weights": (
        classification(initial_weights="imagenet"),
        {"fetch_weights": 2, **CLASSIFIED},
    ),
    "classification.field_of_view_mm": (classification(field_of_view_mm=180.0), CLASSIFIED),
    "classification.image_size_px": (classification(image_size_px=64), CLASSIFIED),
    "classification.checkpoint_every": (classification(checkpoint_every=3), RECORD),
    "classification.select_on": (
        classification(select_on="validation"),
        {**SELECTED, "reliability": 1},
    ),
    "approaches.<name>.title": (
        {"approaches": {"sampling_low": {"title": "Other"}}},
        {
            **{"table3": 1, "boundary_table": 1, "figure2": 1, "provenance": 1, "timings": 1},
            **ANSWERS,
            "budget": 1,
            **FUNCTION,
            **PICTURES,
        },
    ),
    "approaches.<name>.router": ({"approaches": {"upper_bound": {"router": "classifier"}}}, ONE_APPROACH),
    "approaches.<name>.model": (
        {"approaches": {"sampling_low": {"model": "sampling_high"}}},
        {**ONE_APPROACH, "segmenter_curves": 1},  # one model fewer is drawn
    ),
    "approaches.<name>.models": ({"approaches": {"upper_bound": {"models": {"base": "middle"}}}}, ONE_APPROACH),
    "approaches.<name>.reading": (
        {"approaches": {"classification": {"reading": "stack"}}},
        {**ONE_APPROACH, "read_classifier": 3},
    ),
    "approaches.<name>.networks": (
        {"approaches": {"classification": {"networks": "all"}}},
        {**ONE_APPROACH, "read_classifier": 3},
    ),
    "approaches.<name>.head_of": (
        {"models": JOINT, "approaches": {"classification": {"head_of": "joint"}}},
        {**ONE_MODEL, **HEAD_READ},
    ),
    "approaches.<name>.decoders_of": (
        {"models": JOINT, "approaches": {"upper_bound": {"models": None, "decoders_of": "joint"}}},
        ONE_MODEL,
    ),
    "approaches.<name>.mixing": (
        {"approaches": {"classification": {"mixing": "soft"}}},
        {**ONE_APPROACH, "read_classifier": 3},
    ),
    "approaches.<name>.floor": (
        {"approaches": {"classification": {"mixing": "soft", "floor": 0.1}}},
        {**ONE_APPROACH, "read_classifier": 3},
    ),
    "approaches.<name>.extent_of": (
        {"approaches": {"upper_bound": EXTENT}},
        {**ONE_APPROACH, **EXTENTS_READ},
    ),
    "approaches.<name>.probabilities": (
        {"approaches": {"upper_bound": {**EXTENT, "probabilities": True}}},
        {**ONE_APPROACH, **EXTENTS_READ},
    ),
    "approaches.<name>.predictions": (given(), ONE_GIVEN),
    "approaches.<name>.names": (given(names="{patient}_{phase}.nii.gz"), ONE_GIVEN),
    "approaches.<name>.label_map": (given(label_map={"LVBP": 3, "RVBP": 1}), ONE_GIVEN),
    "approaches.<name>.label_map.LVBP": (given(label_map={"LVBP": 4}), ONE_GIVEN),
    "approaches.<name>.label_map.LVM": (given(label_map={"LVM": 4}), ONE_GIVEN),
    "approaches.<name>.label_map.RVBP": (given(label_map={"RVBP": 4}), ONE_GIVEN),
    "approaches.<name>.bundle": (
        {"approaches": {"theirs": {"title": "Theirs", "bundle": "bundle"}}},
        ONE_BUNDLED,
    ),
    "evaluation.baseline": (
        {"evaluation": {"baseline": "sampling_low"}},  # which is no plain baseline
        {**without_gain(COMPARED), "cardiac_function": 1, **PICTURES},
    ),
    "evaluation.significance": ({"evaluation": {"significance": 0.05}}, STARRED),
    "evaluation.scoring": ({"evaluation": {"scoring": "all"}}, COMPARED),
    "evaluation.margin": ({"evaluation": {"margin": 2.0}}, {**ANSWERS, "provenance": 1}),
    "evaluation.primary": (
        {"evaluation": {"primary": ["sampling_low"]}},
        {**ANSWERS, "cardiac_function": 1, "provenance": 1},
    ),
    "evaluation.profile_points": ({"evaluation": {"profile_points": 51}}, {"figure2": 1, "provenance": 1}),
    "quality.approaches": (
        {"quality": {"approaches": ["baseline"]}},
        {"find_flags": 3, "flag_worth": 1, "flag_page": 3, **RECORD},
    ),
    "quality.cut_off_base": ({"quality": {"cut_off_base": 2.0}}, {}),  # nothing is checked in the finished run
    "quality.cut_off_apex": ({"quality": {"cut_off_apex": 0.5}}, {}),
    "quality.components_mm2": ({"quality": {"components_mm2": 20.0}}, {}),
    "quality.open_cavity": ({"quality": {"open_cavity": 0.5}}, {}),
    "quality.stroke_volumes": ({"quality": {"stroke_volumes": 0.5}}, {}),
    "quality.mass": ({"quality": {"mass": 0.2}}, {}),
    "quality.disagreement": ({"quality": {"disagreement": 0.2}}, {}),
    "quality.uncertain_region": ({"quality": {"uncertain_region": 0.4}}, {}),
    "demo": ({"demo": DEMO}, EVERYTHING),
    "demo.folder": (
        {"demo": {**DEMO, "folder": "made"}, **acdc(folder="made/acdc")},
        {**EVERYTHING, "make_demo_cohort": 1},
    ),
    "demo.patients": (
        {"demo": {**DEMO, "patients": {**DEMO["patients"], "acdc": 3}}},
        {**EVERYTHING, "make_demo_cohort": 1},
    ),
    "demo.predictions": (
        {"demo": {**DEMO, "predictions": {"given": "eroded"}}, **given(predictions="raw/predictions/given")},
        {**EVERYTHING, **ONE_GIVEN_WITH_ALL, "make_demo_predictions": 3},
    ),
}
"""Key to a change of it, and the jobs that the change re-runs. A table as a whole has its rows below."""

ROWS = {
    "cohorts": (
        {"cohorts": {"ours": {"title": "Ours", "format": "nifti", "folder": "raw/nhs"}}},
        {**EXTERNAL_COHORT, "forest": 4, "training_gain": 4},
    ),
    "models": (
        {
            "models": {"sampling_50": {"sampling": "quadratic", "ratio": 50}},
            "approaches": {"sampling_50": {"title": "50", "router": "constant", "model": "sampling_50"}},
        },
        {**ONE_APPROACH, "train_segmenter": 1, "segmenter_curves": 1},
    ),
    "approaches": (
        {"approaches": {"apex_only": {"title": "Apex", "router": "constant", "model": "apex"}}},
        ONE_APPROACH,
    ),
    "classification.networks": (
        classification(networks={"resnet18": "ResNet"}),
        {"train_classifier": 1, "classifier_curves": 1, "classify": 3, **PROBABLE},
    ),
}
"""Table to a new row of it, and the jobs that it adds or re-runs."""


def test_a_finished_run_that_was_moved_has_nothing_to_do(changeable):
    assert changeable.planned() == {}


def test_every_key_of_the_configuration_has_a_row_here():
    assert {key for key, _ in described_keys()} == KEYS.keys() | ROWS.keys()


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_key_re_runs_the_jobs_that_depend_on_it(changeable, key):
    change, jobs = KEYS[key]
    assert changeable.planned(**change) == jobs


@pytest.mark.parametrize("table", ROWS)
def test_a_new_row_re_runs_only_what_is_new(changeable, table):
    change, jobs = ROWS[table]
    assert changeable.planned(**change) == jobs


def test_a_model_that_no_approach_uses_re_runs_nothing_but_the_record(changeable):
    assert changeable.planned(models={"unused": {"sampling": "uniform"}}) == RECORD


def test_a_new_3d_model_re_runs_nothing_else(changeable):
    change = {
        "models": {"context": {"sampling": "uniform", "configuration": "3d_fullres"}},
        "approaches": {"context": {"title": "3D", "router": "constant", "model": "context"}},
    }
    assert changeable.planned(**change) == {**ONE_MODEL, **PLANNED_IN_3D}


def test_the_table_of_keys_is_that_of_a_real_snakemake_call(changeable):
    change, jobs = KEYS["evaluation.significance"]
    arguments = changeable._arguments(["-n"], change)
    assert job_counts(unforked_snakemake(changeable.project, *arguments)) == jobs


# ---- Raw data ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("cohort", "patients", "jobs"),
    [
        ("nhs", "", TRAINING_COHORT),
        ("acdc", "training", EXTERNAL_COHORT),
        ("mnms", "Testing", EXTERNAL_COHORT),
    ],
)
def test_a_patient_added_to_a_cohort_re_runs_what_depends_on_that_cohort(changeable, cohort, patients, jobs):
    folder = sorted((changeable.folder / "raw" / cohort / patients).glob("[!.]*/"))[0]
    added = folder.with_name(f"{folder.name}0")
    shutil.copytree(folder, added)
    try:
        assert changeable.planned() == jobs
    finally:
        shutil.rmtree(added)


def test_a_line_added_to_a_cohorts_csv_re_runs_what_depends_on_that_cohort(changeable):
    (table,) = (changeable.folder / "raw/mnms").glob("*.csv")
    with edited([table], lambda text: f"{text}\n"):
        assert changeable.planned() == EXTERNAL_COHORT


# ---- Code -------------------------------------------------------------------

AFTER = {
    "make_demo_cohort": {},  # not in the finished run
    "make_demo_predictions": {},  # not in the finished run
    "make_demo_cines": {},  # not in the finished run
    "convert_cohort": EVERYTHING,
    "convert_images": {},  # not in the finished run
    "split_cohort": {**SPLIT, "split_cohort": 3},
    "assign_regions": {**EVERYTHING_TRAINED, "assign_regions": 3, "cohort_summary": 1},
    "plan_segmentation": PLANNED,
    "plan_variant": {},  # not in the finished run
    "preprocess_segmentation": {**EVERYTHING_TRAINED, "preprocess_segmentation": 1},
    "preprocess_cohort": {"preprocess_cohort": 3, "classify": 6, **PROBABLE, **SEGMENTED},
    "train_segmenter": TRAINED,
    "fetch_weights": {},  # not in the finished run
    "train_classifier": CLASSIFIED,
    "classify": {"classify": 6, **PROBABLE},
    "select_classifier": SELECTED,
    "predict_regions": {"predict_regions": 3, **ONE_APPROACH},
    "calibrate": CALIBRATED,
    "reliability": {"reliability": 1},
    "read_classifier": {},  # not in the finished run
    "read_extent": {},  # not in the finished run
    "weigh_extent": {},  # not in the finished run
    "find_extent": {},  # not in the finished run
    "name_regions": {},  # not in the finished run
    "calibrate_head": {},  # not in the finished run
    "read_head": {},  # not in the finished run
    "readings": {"readings": 1},
    "predict": SEGMENTED,
    "read_predictions": {},  # not in the finished run
    "preprocess_bundled": {},  # not in the finished run
    "predict_bundled": {},  # not in the finished run
    "score": {"score": 15, **RESULTS},
    "boundaries": {"boundaries": 15, "boundary_table": 1, "provenance": 1, "timings": 1},
    "table1": {"table1": 1, "provenance": 1, "timings": 1},
    "table3": {"table3": 1, "provenance": 1, "timings": 1},
    "boundary_table": {"boundary_table": 1, "provenance": 1, "timings": 1},
    "figure2": {"figure2": 1},
    "cardiac_function": {"cardiac_function": 1},
    "bland_altman": {"bland_altman": 3},
    "measure_function": {},  # not in the finished run
    "patients_table": {},  # not in the finished run
    "answers": ANSWERS,
    "forest": {"forest": 3},
    "training_gain": {"training_gain": 3},
    "provenance": RECORD,
    "cohort_summary": {"cohort_summary": 1},
    "segmenter_curves": {"segmenter_curves": 1, "timings": 1, "budget": 1},
    "classifier_curves": {"classifier_curves": 1},
    "example_slices": {"example_slices": 3},
    "worst_cases": {"worst_cases": 3},
    "timings": {"timings": 1},
    "budget": {"budget": 1},
    "find_flags": {},  # not in the finished run
    "flag_worth": {},  # not in the finished run
    "flag_page": {},  # not in the finished run
}
"""Rule to the jobs that run when all jobs of the rule do."""
RULES = set(AFTER)
BUNDLE_RULES = {"preprocess_bundled", "predict_bundled"}
ROUTED_RULES = {"predict", "find_extent", "predict_bundled"}
SEGMENTING_RULES = {"name_regions", *ROUTED_RULES}
NETWORK_RULES = {"train_segmenter", "train_classifier", "classify", *SEGMENTING_RULES}
PLANNING_RULES = {"plan_segmentation", "plan_variant"}
SEGMENTER_RULES = {*PLANNING_RULES, "preprocess_segmentation", "train_segmenter"}
CALIBRATION_RULES = {
    *("calibrate", "calibrate_head", "reliability", "read_classifier", "read_head", "read_extent", "weigh_extent"),
}
READING_RULES = {"readings", "predict_bundled", *CALIBRATION_RULES}
CLASSIFIER_RULES = {
    *("fetch_weights", "train_classifier", "classify", "select_classifier", "predict_regions"),
    *READING_RULES,
}
PREPROCESSING_RULES = {"preprocess_segmentation", "preprocess_cohort", "preprocess_bundled"}
PAPER_RULES = {"select_classifier", "table1", "table3", "answers"}
TABLE_RULES = {*PAPER_RULES, "boundary_table", "readings", "reliability", "budget"}
ANSWER_PICTURES = {"forest", "training_gain"}
STATISTICS_RULES = {"table1", "table3", "answers", "budget"}
FUNCTION_RULES = {"cardiac_function", "bland_altman"}
PATIENT_RULES = {"measure_function", "patients_table"}
DEMO_RULES = {"make_demo_cohort", "make_demo_cines"}
PICTURE_RULES = {"example_slices", "worst_cases"}
SCORE_RULES = {"score", "boundary_table", "figure2", *STATISTICS_RULES, *FUNCTION_RULES, *PICTURE_RULES}
"""Rules that write or read the scores of slices."""
WORTH_RULES = {"flag_worth", "flag_page"}
FLAG_RULES = {"find_flags", *WORTH_RULES}
CURVE_RULES = {"segmenter_curves", "classifier_curves"}
REPORT_RULES = {"cohort_summary", "timings", "budget", *CURVE_RULES, *PICTURE_RULES}
COHORT_RULES = RULES - {
    *(
        "make_demo_cohort",
        "make_demo_predictions",
        "make_demo_cines",
        "fetch_weights",
        "predict_regions",
        *ANSWER_PICTURES,
        "provenance",
        "timings",
    ),
    *CURVE_RULES,
}
"""Rules that read or write the tables of a cohort: cases, splits, slices."""
MODULES = {
    "cmrslices/__init__.py": RULES,
    "cmrslices/config.py": set(),
    "cmrslices/equal_training.py": {*ANSWER_PICTURES, *STATISTICS_RULES},
    "cmrslices/function.py": {*FUNCTION_RULES, *PATIENT_RULES},
    "cmrslices/commands": set(),
    "cmrslices/runtime/accepted_code.py": {"provenance", *BUNDLE_RULES},
    "cmrslices/runtime/code_digest.py": RULES,
    "cmrslices/runtime/forced.py": set(),
    "cmrslices/runtime/job_plan.py": RULES,
    "cmrslices/config_text.py": set(),
    "cmrslices/segmentation/channels_last.py": {"train_segmenter", "preprocess_bundled", *SEGMENTING_RULES},
    "cmrslices/runtime/__init__.py": RULES,
    "cmrslices/runtime/checkpoints.py": {*NETWORK_RULES, "segmenter_curves", "preprocess_bundled"},
    "cmrslices/runtime/device_record.py": {"train_segmenter", "train_classifier", "provenance", *BUNDLE_RULES},
    "cmrslices/runtime/devices.py": {*NETWORK_RULES, "preprocess_bundled"},
    "cmrslices/runtime/cores.py": set(),
    "cmrslices/runtime/errors.py": RULES,
    "cmrslices/runtime/files.py": {
        *(*NETWORK_RULES, "convert_cohort", "convert_images", "segmenter_curves", "preprocess_bundled", "provenance"),
    },
    "cmrslices/runtime/interruption.py": RULES,
    "cmrslices/runtime/job.py": RULES,
    "cmrslices/labels.py": RULES - {"provenance", "classifier_curves", "timings"},
    "cmrslices/runtime/nifti.py": {
        *("convert_cohort", "assign_regions", "read_predictions", *PREPROCESSING_RULES),
        *("boundaries", *PLANNING_RULES, *SCORE_RULES, *READING_RULES),
        *("convert_images", "measure_function", *FLAG_RULES),
    },
    "cmrslices/runtime/parallel.py": {
        *("make_demo_predictions", "read_predictions", *DEMO_RULES, "convert_cohort", "assign_regions"),
        *("boundaries", "convert_images", "measure_function", *PREPROCESSING_RULES),
        *(*PLANNING_RULES, *SCORE_RULES, *READING_RULES, *FLAG_RULES),
    },
    "cmrslices/prediction/bundle.py": BUNDLE_RULES,
    "cmrslices/prediction/bundle_networks.py": BUNDLE_RULES,
    "cmrslices/prediction/bundle_prediction.py": {"predict_bundled"},
    "cmrslices/prediction/bundle_preprocessing.py": {"preprocess_bundled"},
    "cmrslices/prediction/cohort.py": ROUTED_RULES,
    "cmrslices/prediction/decoders.py": ROUTED_RULES,
    "cmrslices/prediction/extent.py": {"find_extent", "predict_bundled"},
    "cmrslices/prediction/heads.py": {"name_regions", "predict_bundled"},
    "cmrslices/segmentation/preprocessing.py": PREPROCESSING_RULES,
    "cmrslices/runtime/progress.py": {"train_segmenter", "train_classifier"},
    "cmrslices/runtime/provenance.py": {"provenance", *BUNDLE_RULES},
    "cmrslices/cohorts/regions.py": {"assign_regions", "measure_function", *READING_RULES},
    "cmrslices/prediction/__init__.py": {
        *SEGMENTING_RULES,
        "read_predictions",
        "preprocess_bundled",
        "answers",
        *FLAG_RULES,
    },
    "cmrslices/prediction/fit.py": {"read_predictions"},
    "cmrslices/prediction/folders.py": set(),
    "cmrslices/prediction/given.py": {"read_predictions"},
    "cmrslices/prediction/grids.py": {"read_predictions"},
    "cmrslices/prediction/parts.py": SEGMENTING_RULES,
    "cmrslices/prediction/routing.py": {*SEGMENTING_RULES, "preprocess_bundled", "answers", *FLAG_RULES},
    "cmrslices/segmentation/sampling.py": {"train_segmenter"},
    "cmrslices/prediction/sliding_window.py": {*SEGMENTING_RULES, "preprocess_bundled"},
    "cmrslices/runtime/slurm_guard.py": set(),
    "cmrslices/runtime/whole_folders.py": DEMO_RULES,
    "cmrslices/cohorts/splits.py": {"split_cohort"},
    "cmrslices/runtime/status.py": set(),
    "cmrslices/runtime/trained_weights.py": {"provenance", *BUNDLE_RULES},
    "cmrslices/segmentation/preprocessed.py": {
        *PREPROCESSING_RULES,
        *("train_classifier", "classify"),
        *SEGMENTING_RULES,
    },
    "cmrslices/classification/__init__.py": {*CLASSIFIER_RULES, "classifier_curves", "preprocess_bundled"},
    "cmrslices/classification/augmentation.py": {"train_classifier"},
    "cmrslices/classification/history.py": {"train_classifier", "classifier_curves"},
    "cmrslices/classification/images.py": {"train_classifier", "classify", "predict_bundled"},
    "cmrslices/classification/inference.py": {"classify", "predict_bundled"},
    "cmrslices/classification/networks.py": {"fetch_weights", "train_classifier", "classify", *BUNDLE_RULES},
    "cmrslices/classification/pretrained.py": {"fetch_weights"},
    "cmrslices/classification/probabilities.py": {"select_classifier", "predict_regions", *READING_RULES},
    "cmrslices/classification/calibration.py": READING_RULES,
    "cmrslices/classification/extent_reading.py": {"read_extent", "weigh_extent", "predict_bundled"},
    "cmrslices/classification/readings.py": READING_RULES - {"calibrate", "calibrate_head"},
    "cmrslices/classification/readings_table.py": {"readings", "reliability"},
    "cmrslices/classification/reliability.py": {"reliability"},
    "cmrslices/classification/reliability_diagram.py": {"reliability"},
    "cmrslices/classification/stack_reading.py": READING_RULES,
    "cmrslices/classification/slices.py": {"train_classifier"},
    "cmrslices/classification/training.py": {"train_classifier"},
    "cmrslices/cohorts/__init__.py": COHORT_RULES,
    "cmrslices/cohorts/convert": {"convert_cohort", "convert_images", "read_predictions"},
    "cmrslices/cohorts/convert/anatomy.py": {"convert_cohort", "convert_images"},
    "cmrslices/cohorts/convert/cohort.py": {"convert_cohort", "convert_images"},
    "cmrslices/cohorts/convert/comparison.py": {"convert_cohort", "convert_images"},
    "cmrslices/cohorts/convert/finished.py": {"convert_cohort", "convert_images"},
    "cmrslices/cohorts/convert/patient.py": {"convert_cohort", "convert_images"},
    "cmrslices/cohorts/unlabelled": {"convert_images"},
    "cmrslices/cohorts/tables.py": COHORT_RULES,
    "cmrslices/demo": DEMO_RULES,
    "cmrslices/demo/__init__.py": {*DEMO_RULES, "make_demo_predictions"},
    "cmrslices/demo/cines.py": {"make_demo_cines"},
    "cmrslices/demo/cohorts.py": {"make_demo_cohort"},
    "cmrslices/demo/predictions.py": {"make_demo_predictions"},
    "cmrslices/evaluation/__init__.py": {*ANSWER_PICTURES, "boundaries", *SCORE_RULES, *FLAG_RULES},
    "cmrslices/evaluation/agreement.py": {"answers"},
    "cmrslices/evaluation/answer_files.py": {"answers"},
    "cmrslices/evaluation/answer_tables.py": {"answers"},
    "cmrslices/evaluation/answers.py": {*ANSWER_PICTURES, *STATISTICS_RULES},
    "cmrslices/evaluation/boundaries.py": {"boundaries", "boundary_table"},
    "cmrslices/evaluation/boundary_table.py": {"boundary_table"},
    "cmrslices/evaluation/cells.py": {*ANSWER_PICTURES, *STATISTICS_RULES},
    "cmrslices/evaluation/bland_altman.py": {"bland_altman"},
    "cmrslices/evaluation/forest.py": ANSWER_PICTURES,
    "cmrslices/evaluation/region_rules.py": set(),
    "cmrslices/evaluation/training_gain.py": {"training_gain"},
    "cmrslices/evaluation/function.py": FUNCTION_RULES,
    "cmrslices/evaluation/function_change_tables.py": {"cardiac_function"},
    "cmrslices/evaluation/function_changes.py": {"cardiac_function"},
    "cmrslices/evaluation/function_tables.py": {"cardiac_function"},
    "cmrslices/evaluation/volume_agreement.py": FUNCTION_RULES,
    "cmrslices/evaluation/volume_errors.py": {"cardiac_function"},
    "cmrslices/classification/metrics.py": {"select_classifier", *READING_RULES},
    "cmrslices/classification/confusion.py": {"select_classifier"},
    "cmrslices/evaluation/false_positives.py": {"table3"},
    "cmrslices/evaluation/figure2.py": {"figure2"},
    "cmrslices/patients/__init__.py": {*PATIENT_RULES, *FLAG_RULES},
    "cmrslices/patients/curves.py": {"measure_function"},
    "cmrslices/patients/function.py": {"measure_function"},
    "cmrslices/patients/phases.py": {"measure_function"},
    "cmrslices/patients/volumes.py": {"measure_function"},
    "cmrslices/patients/table.py": {"patients_table"},
    "cmrslices/presentation/__init__.py": {
        *(*ANSWER_PICTURES, "figure2", *FUNCTION_RULES, *TABLE_RULES, *REPORT_RULES, *PATIENT_RULES, *WORTH_RULES),
    },
    "cmrslices/presentation/figures.py": {
        *ANSWER_PICTURES,
        "figure2",
        "bland_altman",
        "measure_function",
        "select_classifier",
        "reliability",
        "flag_page",
        *CURVE_RULES,
        *PICTURE_RULES,
    },
    "cmrslices/presentation/pages.py": {
        *(*ANSWER_PICTURES, "figure2", *FUNCTION_RULES, *TABLE_RULES, *REPORT_RULES, *PATIENT_RULES, *WORTH_RULES),
    },
    "cmrslices/presentation/paper.py": {*FUNCTION_RULES, *PAPER_RULES},
    "cmrslices/evaluation/profile.py": {"figure2"},
    "cmrslices/presentation/sections.py": {"answers", "cardiac_function"},
    "cmrslices/presentation/tables.py": {
        *(*ANSWER_PICTURES, "figure2", *FUNCTION_RULES, *TABLE_RULES, *REPORT_RULES, *PATIENT_RULES, *WORTH_RULES),
    },
    "cmrslices/presentation/writing.py": {
        *ANSWER_PICTURES,
        "figure2",
        *FUNCTION_RULES,
        *TABLE_RULES,
        *CURVE_RULES,
        *PICTURE_RULES,
        *PATIENT_RULES,
        *WORTH_RULES,
    },
    "cmrslices/evaluation/label_maps.py": {"boundaries", *SCORE_RULES, *FLAG_RULES},
    "cmrslices/evaluation/scores.py": {*SCORE_RULES, *WORTH_RULES},
    "cmrslices/evaluation/statistics.py": {*ANSWER_PICTURES, "boundary_table", *STATISTICS_RULES, "cardiac_function"},
    "cmrslices/evaluation/jackknife.py": {
        *("figure2", *ANSWER_PICTURES, "boundary_table"),
        *STATISTICS_RULES,
        *FUNCTION_RULES,
        *WORTH_RULES,
    },
    "cmrslices/evaluation/patient_tests.py": {"table1", "table3"},
    "cmrslices/evaluation/over_runs.py": {*ANSWER_PICTURES, *STATISTICS_RULES, "cardiac_function"},
    "cmrslices/evaluation/rule_agreement.py": {"answers"},
    "cmrslices/evaluation/scoring.py": {*ANSWER_PICTURES, *STATISTICS_RULES},
    "cmrslices/evaluation/table1.py": {"table1"},
    "cmrslices/classification/table2.py": {"select_classifier"},
    "cmrslices/evaluation/table3.py": {"table3"},
    "cmrslices/evaluation/training_note.py": {"answers", "budget"},
    "cmrslices/report/__init__.py": {*REPORT_RULES, "flag_page"},
    "cmrslices/patients": FLAG_RULES,
    "cmrslices/patients/flag_worth.py": WORTH_RULES,
    "cmrslices/patients/flag_pages.py": {"flag_page"},
    "cmrslices/patients/strips.py": {"flag_page"},
    "cmrslices/report/budget.py": {"budget"},
    "cmrslices/report/classifier_curves.py": {"classifier_curves"},
    "cmrslices/report/cohorts.py": {"cohort_summary"},
    "cmrslices/report/curves.py": CURVE_RULES,
    "cmrslices/report/overlays.py": {*PICTURE_RULES, "flag_page"},
    "cmrslices/report/pictures.py": {*PICTURE_RULES, "flag_page"},
    "cmrslices/report/segmenter_curves.py": {"segmenter_curves"},
    "cmrslices/report/selection.py": {*PICTURE_RULES, "flag_page"},
    "cmrslices/report/timings.py": {"timings"},
    "cmrslices/segmentation/__init__.py": {*NETWORK_RULES, *SEGMENTER_RULES, *PREPROCESSING_RULES},
    "cmrslices/segmentation/joint_network.py": {"train_segmenter", "preprocess_bundled", *SEGMENTING_RULES},
    "cmrslices/segmentation/joint_training.py": {"train_segmenter"},
    "cmrslices/segmentation/loading.py": {"train_segmenter"},
    "cmrslices/segmentation/nnunet.py": {"train_classifier", "train_segmenter", *PLANNING_RULES},
    "cmrslices/segmentation/planning.py": PLANNING_RULES,
    "cmrslices/segmentation/resumable_trainer.py": {"train_segmenter"},
    "cmrslices/segmentation/training.py": {"train_segmenter"},
    "cmrslices/segmentation/trainers": {"train_segmenter"},
}
"""Module, or folder of modules with one answer, to the rules whose scripts import it, directly or not."""
COMMANDS = {"accept_code", "answer_runs", "bundle", "plan_run", "publish", "training_status"}
"""Scripts that a user calls; the others have the names of their rules."""


def modules():
    """Every library module, relative to workflow_scripts."""
    files = (LIBRARY / "cmrslices").rglob("*.py")
    return sorted(str(file.relative_to(LIBRARY)) for file in files)


def importers(module):
    """Rules of a module's own row, or of its nearest folder's."""
    rows = [str(path) for path in (Path(module), *Path(module).parents) if str(path) in MODULES]
    assert rows, f"{module} has no row in MODULES"
    return MODULES[rows[0]]


def jobs_after(rules):
    """The jobs that run when all jobs of these rules do."""
    jobs = Counter()
    for rule in rules:
        jobs |= Counter(AFTER[rule])
    return dict(jobs)


def one_module_for_each_answer():
    """Of the modules whose change re-runs the same jobs, the first one."""
    answers = {tuple(sorted(jobs_after(importers(module)).items())): module for module in reversed(modules())}
    return sorted(answers.values())


def digests_of_rules():
    return {rule: code_digest.code_digest(LIBRARY / f"{rule}.py") for rule in RULES}


@pytest.fixture(scope="module")
def digests():
    """Digests of the scripts as they are."""
    return digests_of_rules()


@contextmanager
def edited(files, edit):
    """Files with another content, and their own again afterwards."""
    texts = {file: file.read_text() for file in files}
    for file, text in texts.items():
        file.write_text(edit(text))
    try:
        yield
    finally:
        for file, text in texts.items():
            file.write_text(text)


def other_code(text):
    return f"{text}\nCHANGED = 1\n"


def test_every_row_is_a_module_or_a_folder():
    assert [row for row in MODULES if not (LIBRARY / row).exists()] == []


@pytest.mark.parametrize("module", modules())
def test_changed_code_of_a_module_changes_the_digests_of_the_rules_that_import_it(digests, monkeypatch, module):
    read, changed = code_digest._read, LIBRARY / module
    other = read(changed)._replace(code="other", does_something=True)
    monkeypatch.setattr(code_digest, "_read", lambda path: other if path == changed else read(path))
    assert {rule for rule, digest in digests_of_rules().items() if digest != digests[rule]} == importers(module)


@pytest.mark.parametrize("module", one_module_for_each_answer())
def test_changed_code_of_a_module_re_runs_the_rules_that_import_it(changeable, module):
    with edited([changeable.project / "workflow_scripts" / module], other_code):
        assert changeable.planned() == jobs_after(importers(module))


@pytest.mark.parametrize("script", sorted(rule for rule in RULES if AFTER[rule]))
def test_changed_code_of_a_script_re_runs_its_rule(changeable, script):
    with edited([changeable.project / f"workflow_scripts/{script}.py"], other_code):
        assert changeable.planned() == AFTER[script]


def test_changed_code_of_commands_and_of_rules_that_are_not_in_the_finished_run_re_runs_nothing(changeable):
    unused = {rule for rule in RULES if not AFTER[rule]}
    assert {file.stem for file in LIBRARY.glob("*.py")} == RULES | COMMANDS
    with edited([changeable.project / f"workflow_scripts/{name}.py" for name in unused | COMMANDS], other_code):
        assert changeable.planned() == {}


def test_changed_code_of_the_demo_makes_its_cohorts_again(changeable):
    with edited([changeable.project / "workflow_scripts/cmrslices/demo/heart.py"], other_code):
        assert changeable.planned(demo=DEMO) == {**EVERYTHING, "make_demo_cohort": 3}


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: f"# Why.\n{text}\n# A comment at the end.\n",
        lambda text: text.replace('"""', '"""Other words. ', 1),
        lambda text: f"{text}\n\n",
    ],
    ids=["comment", "docstring", "layout"],
)
def test_what_is_no_code_re_runs_nothing(changeable, edit):
    project = changeable.project
    sources = [*project.rglob("*.py"), *project.glob("rules/*.smk"), project / "Snakefile"]
    with edited(sources, edit):
        assert changeable.planned() == {}


@pytest.mark.parametrize("profile", ["slurm", "demo", "public"])
def test_a_comment_in_a_script_re_runs_nothing_under_a_profile(changeable, profile):
    with edited(changeable.project.glob("workflow_scripts/*.py"), lambda text: f"{text}# A comment.\n"):
        assert changeable.planned("--profile", profile) == {}


def test_every_rule_with_a_script_names_its_code():
    texts = [file.read_text() for file in sorted((ROOT / "rules").glob("*.smk"))]
    named = re.findall(r'code=code_of\("(\w+)"\),\s+script:\s+"\.\./workflow_scripts/(\w+)\.py"', "".join(texts))
    assert sorted(named) == [(rule, rule) for rule in sorted(RULES)]
