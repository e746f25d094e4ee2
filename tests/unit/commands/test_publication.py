"""What may be published: listed columns and files, numbers for names, and nothing that could name anyone."""

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from cmrslices.commands import publication
from cmrslices.commands.publication import (
    BOUNDARIES,
    CASES,
    SCORES,
    checked,
    known_jobs,
    new_names,
    public_configuration,
    public_provenance,
    publish,
    renamed,
)
from cmrslices.config import load_settings
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
