"""What may be published: listed columns and files, numbers for names, and nothing that could name anyone."""

import pandas as pd
import pytest
import yaml
from places import ROOT
from raw_cohorts import convert_to, nifti_cohort
from snakemake.utils import update_config

from cmrslices.classification.calibration import read_temperature
from cmrslices.classification.probabilities import read_probabilities
from cmrslices.cohorts.regions import PAPER, assign_regions
from cmrslices.cohorts.splits import split_cohort
from cmrslices.cohorts.tables import read_slices
from cmrslices.commands import publication
from cmrslices.commands.publication import (
    BOUNDARIES,
    CASES,
    CURVES,
    FILES,
    FUNCTION,
    HISTORY,
    SCORES,
    checked,
    extent_readings,
    known_jobs,
    new_names,
    public_configuration,
    public_provenance,
    publish,
    renamed,
)
from cmrslices.config import load_settings
from cmrslices.evaluation.boundaries import measure_cohort
from cmrslices.evaluation.function_tables import write_cardiac_function
from cmrslices.evaluation.scores import read_scores, score_cohort
from cmrslices.labels import SLICE_CLASSES
from cmrslices.runtime.errors import InputError

DEFAULT = publication.default_configuration()


def settings(**changes):
    """The default configuration with changes laid over it."""
    config = publication.default_configuration()
    update_config(config, changes)
    return load_settings(config)


def cases(patients):
    """Table of cases, sorted by name as cases.csv is."""
    rows = [(f"acdc_{patient}_{phase}", patient, phase) for patient in patients for phase in ("ED", "ES")]
    return pd.DataFrame(rows, columns=["case", "patient", "phase"]).sort_values("case", ignore_index=True)


# ---- Regions ----------------------------------------------------------------


def test_all_readings_of_each_extent_that_an_approach_reads_are_published():
    assert extent_readings(settings()) == []
    models = {"base": "base", "middle": "middle", "apex": "apex", "non-cardiac": "baseline"}
    row = {"title": "Extent", "router": "extent", "extent_of": "baseline", "models": models}
    ways = ["extent/baseline", "extent_selected/baseline", "extent_all/baseline"]
    assert extent_readings(settings(approaches={"first": row, "second": {**row, "title": "Second"}})) == ways


# ---- Cohorts without labels -------------------------------------------------


def test_a_cohort_without_labels_is_left_out_of_the_configuration_and_of_the_timings():
    new = {"title": "Clinic", "format": "nifti", "folder": "/secret", "labels": "none"}
    demo = {"folder": "raw", "patients": {"clinic": 4, "acdc": 2}}
    run = settings(cohorts={"clinic": new}, demo=demo)
    content = public_configuration(run, DEFAULT)
    assert "clinic" not in content["cohorts"]
    assert content["demo"]["patients"] == {"acdc": 2}
    assert "secret" not in yaml.safe_dump(content)
    jobs = [("predict", "baseline/clinic"), ("predict", "baseline/acdc")]
    timings = pd.DataFrame(jobs, columns=["rule", "job"]).assign(wall_s="1", cpu_s="1", max_rss_mb="1")
    assert known_jobs(timings, run)["job"].tolist() == ["baseline/acdc"]


# ---- Names ------------------------------------------------------------------


def test_patients_are_numbered_and_cases_named_after_the_numbers():
    names = new_names(cases(["Smith", "Jones"]), "acdc")
    assert names["patient"] == {"Jones": "0001", "Smith": "0002"}
    assert names["case"]["acdc_Smith_ES"] == "acdc_0002_ES"


@pytest.mark.parametrize("patients", [["P1", "P10", "P2"], ["b", "B", "a-1", "a_1", "9"]])
def test_new_names_sort_as_the_old_ones(patients):
    table = cases(patients)
    new = table["case"].map(new_names(table, "acdc")["case"])
    assert new.is_monotonic_increasing
    assert new.is_unique


def test_a_name_that_no_case_has_is_refused_without_being_repeated():
    names = new_names(cases(["P1"]), "acdc")
    with pytest.raises(InputError, match=r"scores\.csv: the column case has a name that cases.csv lacks") as fault:
        renamed(pd.DataFrame({"case": ["acdc_Smith_ED"]}), names, "scores.csv")
    assert "Smith" not in str(fault.value)


# ---- Columns and cells ------------------------------------------------------


def score_row(**changes):
    row = {
        "cohort": "acdc",
        "approach": "baseline",
        "case": "acdc_0001_ED",
        "patient": "0001",
        "phase": "ED",
        "slice": "0",
        "region": "base",
        "position": "0.0",
        "label": "LVM",
        "reference_mm2": "90.68347258086067",
        "predicted_mm2": "1e-05",
        "dsc": "",
    }
    return pd.DataFrame([row | changes])


OWN = {"cohort": ("acdc",), "approach": ("baseline",)}


def test_cells_are_kept_as_they_are_written():
    assert checked(score_row(), SCORES, "scores.csv", OWN).equals(score_row())


def test_a_column_that_is_not_listed_is_left_out():
    table = score_row(birth_date="19700101", reason="Smith moved")
    assert list(checked(table, SCORES, "scores.csv", OWN)) == list(SCORES)


@pytest.mark.parametrize("column", [name for name in SCORES if name not in {"case", "patient"}])
@pytest.mark.parametrize("text", ["Smith", "1970-01-01", "/home/smith", "0.5 Smith", "0.5\nSmith"])
def test_text_in_any_column_is_refused_without_being_repeated(column, text):
    with pytest.raises(InputError, match=f"scores.csv: line 2: {column} is not") as fault:
        checked(score_row(**{column: text}), SCORES, "scores.csv", OWN)
    assert "Smith" not in str(fault.value)


def boundary_row(**changes):
    row = {"found": "both", "hd_mm": "3.125", "hd95_mm": "2.0", "assd_mm": "0.75"}
    return score_row().drop(columns=["reference_mm2", "predicted_mm2", "dsc"]).assign(**row | changes)


def test_a_boundary_is_published_with_its_distances_or_without():
    for row in (boundary_row(), boundary_row(found="missed", hd_mm="", hd95_mm="", assd_mm="")):
        assert checked(row, BOUNDARIES, "boundaries.csv", OWN).equals(row)


@pytest.mark.parametrize("column", ["found", "hd_mm", "hd95_mm", "assd_mm"])
def test_text_in_a_column_of_the_boundaries_is_refused_without_being_repeated(column):
    with pytest.raises(InputError, match=f"boundaries.csv: line 2: {column} is not") as fault:
        checked(boundary_row(**{column: "Smith"}), BOUNDARIES, "boundaries.csv", OWN)
    assert "Smith" not in str(fault.value)


def test_nothing_that_a_header_says_is_among_the_columns_of_cases():
    assert not {"reason", "repairs", "stack", "frame", "group", "vendor", "model", "field_strength_t"} & set(CASES)


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match=r"scores\.csv: there is no column dsc"):
        checked(score_row().drop(columns="dsc"), SCORES, "scores.csv", OWN)


def test_the_slice_distance_is_published_and_must_be_a_number():
    row = {"case": "acdc_0001_ED", "patient": "0001", "phase": "ED", "excluded": "False", "spacing_z_mm": "10.0"}
    table = pd.DataFrame([row | {"flipped": "False", "direction_from": "labels"}])
    assert checked(table, CASES, "cases.csv")["spacing_z_mm"].tolist() == ["10.0"]
    with pytest.raises(InputError, match=r"cases\.csv: line 2: spacing_z_mm is not a number"):
        checked(table.assign(spacing_z_mm="10 mm, Smith"), CASES, "cases.csv")


def function_row(**changes):
    row = {"cohort": "acdc", "approach": "baseline", "patient": "0001", "quantity": "LVEF", "unit": "%"}
    return pd.DataFrame([row | {"reference": "", "predicted": "52.1", "note": "EDV is 0"} | changes])


def test_a_patients_function_is_published_without_group_and_vendor():
    table = function_row(group="Smith syndrome", vendor="Smith")
    assert checked(table, FUNCTION, "function.csv", OWN).equals(function_row())


@pytest.mark.parametrize("column", [name for name in FUNCTION if name != "patient"])
def test_text_in_a_patients_function_is_refused_without_being_repeated(column):
    with pytest.raises(InputError, match=f"function.csv: line 2: {column} is not") as fault:
        checked(function_row(**{column: "of Smith"}), FUNCTION, "function.csv", OWN)
    assert "Smith" not in str(fault.value)


# ---- Configuration and provenance -------------------------------------------

TELLING = {
    "results": "/home/smith/results",
    "cohorts": {
        "nhs": None,
        "clinic": {
            "title": "Clinic",
            "format": "cvi42",
            "folder": "/data/clinic-of-smith",
            "name_key": "/home/smith/key",
            "exclude": {"Jones": "moved"},
        },
        "ours": {
            "title": "Ours",
            "format": "nifti",
            "folder": "../smith",
            "csv": "smith.csv",
            "label_map": {"LVBP": 3, "LVM": 2, "RVBP": 1},
        },
    },
    "training_cohort": "clinic",
    "classification": {"initial_weights": "/home/smith/weights", "networks": {"alexnet": None}},
}


def test_the_configuration_names_no_path_and_no_patient():
    text = yaml.safe_dump(public_configuration(settings(**TELLING), DEFAULT)).lower()
    assert [word for word in ("smith", "jones", "/home", "..") if word in text] == []


def test_given_label_maps_are_published_without_their_place_and_names():
    row = {"title": "Ours", "predictions": "/home/smith/ours", "names": "smith_{case}.nii.gz", "label_map": {"LVBP": 4}}
    published = public_configuration(settings(**TELLING, approaches={"ours": row}), DEFAULT)
    assert published["approaches"]["ours"] == {
        "title": "Ours",
        "predictions": "predictions/ours",
        "label_map": {"LVBP": 4, "LVM": 2, "RVBP": 3},
    }


def test_a_bundle_is_published_without_its_place():
    row = {"title": "Theirs", "bundle": "/home/smith/theirs"}
    published = public_configuration(settings(**TELLING, approaches={"theirs": row}), DEFAULT)
    assert published["approaches"]["theirs"] == {"title": "Theirs", "bundle": "bundles/theirs"}


def test_the_configuration_laid_over_the_default_one_gives_the_same_run():
    published = publication.default_configuration()
    update_config(published, public_configuration(settings(**TELLING), DEFAULT))
    ours, theirs = load_settings(published), settings(**TELLING)
    kept = {"seed", "precision", "splits", "regions", "models", "segmentation", "approaches", "evaluation"}
    kept |= {"training_cohort"}
    assert ours.model_dump(include=kept) == theirs.model_dump(include=kept)
    assert list(ours.cohorts) == list(theirs.cohorts)
    assert ours.cohorts["ours"].label_map == theirs.cohorts["ours"].label_map
    assert ours.classification.networks == theirs.classification.networks


def test_provenance_is_the_commit_and_the_versions_alone():
    record = {
        "commit": "0" * 40 + "-dirty",
        "versions": {"torch": "2.9.0+cpu", "smith": "1.0"},
        "configuration": {"results": "/home/smith"},
        "machine": "smith's",
    }
    assert public_provenance(record) == {"commit": "0" * 40 + "-dirty", "versions": {"torch": "2.9.0+cpu"}}


def test_accepted_code_is_published_without_the_reason():
    row = {"rule": "score", "made_by": "0201e5da0589dcd8", "accepted": "11aa11aa11aa11aa", "results": 3}
    row |= {"date": "2026-01-31", "because": "Smith says so", "commit": "unknown"}
    record = {"workflow": "0.2.0", "commit": "unknown", "versions": {}, "accepted_code": [row]}
    published = public_provenance(record)
    assert published["workflow"] == "0.2.0"
    assert published["accepted_code"] == [{name: row[name] for name in row if name not in {"because", "commit"}}]
    with pytest.raises(InputError, match=r"accepted_code is not as accept_code\.py writes it"):
        public_provenance(record | {"accepted_code": [row | {"rule": "of Smith"}]})


@pytest.mark.parametrize(
    "record", [{"commit": "smith", "versions": {}}, {"commit": "unknown", "versions": {"torch": "of smith"}}]
)
def test_other_words_in_provenance_are_refused(record):
    with pytest.raises(InputError, match=r"provenance\.yaml: the (commit|version of torch) is not one"):
        public_provenance(record)


# ---- Timings ----------------------------------------------------------------


def test_timings_are_of_jobs_that_the_configuration_names():
    jobs = [("train_segmenter", "apex"), ("classify", "resnet18/acdc"), ("plan_segmentation", "")]
    others = [("score", "baseline/smith"), ("Smith", ""), ("predict", "baseline/removed")]
    rows = [(rule, job, "90.5", "170.2", "") for rule, job in [*jobs, *others]]
    table = pd.DataFrame(rows, columns=["rule", "job", "wall_s", "cpu_s", "max_rss_mb"])
    kept = known_jobs(table, settings())
    assert [*zip(kept["rule"], kept["job"], strict=True)] == jobs


# ---- The folder -------------------------------------------------------------


def test_a_folder_that_is_there_is_not_written_over(tmp_path):
    with pytest.raises(InputError, match="is there already"):
        publish(tmp_path, tmp_path)


def test_an_unfinished_run_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "run").mkdir()
    record = {"commit": "unknown", "versions": {}, "configuration": settings().model_dump(mode="json")}
    (tmp_path / "run/provenance.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(InputError, match="is missing; let the run finish first"):
        publish(tmp_path / "run", tmp_path / "published")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


# ---- Names that are values elsewhere ----------------------------------------

ODD_NAMES = ["0010", "1e5", "NA", "nan", "None", "null", "TRUE", "~"]


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A results folder of one cohort whose patients have odd names: all tables are made by the workflow's functions."""
    run = tmp_path_factory.mktemp("run")
    of_run = settings(
        cohorts={"mnms": None, "nhs": None},
        training_cohort="acdc",
        models={"joint": {"sampling": "uniform", "network": "joint"}},
        approaches={"head": {"title": "Head", "router": "classifier", "head_of": "joint", "decoders_of": "joint"}},
    )
    record = {"commit": "unknown", "versions": {}, "configuration": of_run.model_dump(mode="json")}
    (run / "provenance.yaml").write_text(yaml.safe_dump(record))
    nifti_cohort(run / "raw", ODD_NAMES)
    cohort = convert_to(run / "cohorts/acdc", {"format": "nifti", "folder": str(run / "raw")}, "acdc")
    tables = {name: cohort / f"{name}.csv" for name in ("cases", "splits", "slices")}
    split_cohort(tables["cases"], tables["splits"], sizes=None, seed=1)
    assign_regions(tables["cases"], cohort / "labels", tables["slices"], PAPER, threads=1)
    paths = {"slices": tables["slices"], "splits": tables["splits"]}
    maps = {"predictions": cohort / "labels", "references": cohort / "labels"}
    scores, boundaries = (
        {name: run / f"{kind}/{name}/acdc.csv" for name in of_run.approaches} for kind in ("scores", "boundaries")
    )
    for approach in of_run.approaches:
        for path in (scores[approach], boundaries[approach]):
            path.parent.mkdir(parents=True)
        asked = {**maps, **paths, "cohort": "acdc", "approach": approach, "threads": 1}
        score_cohort(**asked, scores=scores[approach])
        measure_cohort(**asked, boundaries=boundaries[approach])
    (run / "tables").mkdir()
    write_cardiac_function(
        scores=list(scores.values()),
        cases=[tables["cases"]],
        cohorts={"acdc": "ACDC"},
        approaches={name: name for name in of_run.approaches},
        baseline="baseline",
        primary={},
        literature=ROOT / "resources/literature/function.csv",
        table=[run / "tables/cardiac_function.csv"],
        errors=[run / "tables/volume_errors.csv"],
        changes=[run / "tables/function_changes.csv"],
        patients=run / "tables/patients_function.csv",
    )
    shares = read_slices(tables["slices"])[["case", "slice"]].assign(**dict.fromkeys(SLICE_CLASSES, 0.25))
    empty = {"report/segmenter_curves.csv": CURVES}
    for network in of_run.classification.networks:
        (run / f"classifiers/{network}").mkdir(parents=True)
        shares.to_csv(run / f"classifiers/{network}/acdc.csv", index=False)
        empty[f"classifiers/{network}/history.csv"] = HISTORY
    (run / "heads/joint").mkdir(parents=True)
    shares.to_csv(run / "heads/joint/acdc.csv", index=False)
    (run / "heads/joint/calibration.yaml").write_text("joint: {temperature: 1.5}\n")
    for name in (*FILES, *empty):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    for name, columns in empty.items():
        pd.DataFrame(columns=columns).to_csv(run / name, index=False)
    timing = {"rule": "convert_cohort", "job": "acdc", "wall_s": 1.0, "cpu_s": 1.0, "max_rss_mb": 1.0}
    pd.DataFrame([timing]).to_csv(run / "report/timings.csv", index=False)
    return run


@pytest.fixture(scope="module")
def published(finished_run, tmp_path_factory):
    target = tmp_path_factory.mktemp("published") / "run"
    publish(finished_run, target)
    return target


COHORT_TABLES = ["cohorts/acdc/cases", "cohorts/acdc/splits", "cohorts/acdc/slices"]
TABLES = [*COHORT_TABLES, "scores/baseline/acdc", "boundaries/baseline/acdc"]


def test_scores_keep_the_names_of_patients_that_are_called_like_a_value(finished_run):
    scores = read_scores([finished_run / "scores/baseline/acdc.csv"])
    assert set(scores["patient"]) == {"0010", "1e5", "NA", "nan", "None", "null", "TRUE", "-"}
    assert scores["case"].nunique() == 2 * len(ODD_NAMES)


@pytest.mark.parametrize("name", TABLES)
def test_every_patient_is_published_under_a_number_whatever_the_name(published, name):
    table = pd.read_csv(published / f"{name}.csv", dtype=str, keep_default_na=False)
    assert set(table["patient"]) == {f"{number:04d}" for number in range(1, len(ODD_NAMES) + 1)}
    assert table["case"].nunique() == 2 * len(ODD_NAMES)


def test_every_patients_function_is_published_under_a_number(published):
    table = pd.read_csv(published / "tables/patients_function.csv", dtype=str, keep_default_na=False)
    assert set(table["patient"]) == {f"{number:04d}" for number in range(1, len(ODD_NAMES) + 1)}


def test_published_scores_are_read_with_every_patient(published):
    scores = read_scores([published / "scores/baseline/acdc.csv"])
    assert scores["patient"].nunique() == len(ODD_NAMES)
    assert (scores["patient"] != "").all()
    assert scores["dsc"].max() == 1


def test_published_probabilities_have_every_case(published):
    for path in [published / "heads/joint/acdc.csv", *published.glob("classifiers/*/acdc.csv")]:
        assert read_probabilities(path)["case"].nunique() == 2 * len(ODD_NAMES)


def test_the_temperature_of_a_head_is_published(published):
    assert read_temperature(published / "heads/joint/calibration.yaml", "joint") == 1.5
