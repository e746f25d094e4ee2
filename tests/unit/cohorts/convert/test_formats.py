"""What each format finds in its layout, without opening an image."""

import subprocess
import sys
from typing import get_args

import pandas as pd
import pytest
from raw_cohorts import acdc_patient, mnms_cohort, nifti_cohort

from cmrslices.cohorts.convert import FORMATS, acdc, check_folder, mnms, nifti, raw_names
from cmrslices.cohorts.unlabelled.layouts import LAYOUTS
from cmrslices.config import Cohort


def write(folder, name):
    writers = {
        "acdc": lambda: acdc_patient(folder / "training/patient001"),
        "cvi42": lambda: (folder / "P1").mkdir(),
        "mnms": lambda: mnms_cohort(folder),
        "nifti": lambda: nifti_cohort(folder),
    }
    writers[name]()
    return {"format": name, "folder": str(folder)}


@pytest.mark.parametrize("part", ["", "training", "testing", "database/training"])
def test_acdc_patients_lie_in_the_folder_or_its_parts(tmp_path, part):
    folder = acdc_patient(tmp_path / part / "patient001")
    (patient,) = acdc.find_patients({"folder": tmp_path})
    assert patient.group == "DCM"
    assert [(case.phase, case.image) for case in patient.cases] == [
        ("ED", folder / "patient001_frame01.nii.gz"),
        ("ES", folder / "patient001_frame09.nii.gz"),
    ]


@pytest.mark.parametrize("part", ["Training/Labeled", "Validation", "Testing"])
def test_mnms_frames_count_from_0_and_come_from_the_csv(tmp_path, part):
    mnms_cohort(tmp_path, ["A1"], part)
    (patient,) = mnms.find_patients({"folder": tmp_path})
    assert (patient.group, patient.vendor) == ("HCM", "GE")
    assert [(case.phase, case.frame) for case in patient.cases] == [("ED", 0), ("ES", 2)]


def test_mnms_patients_without_label_or_folder_are_excluded_with_the_reason(tmp_path):
    rows = mnms_cohort(tmp_path, ["A1"], "Training/Unlabeled")
    ghost = rows.assign(**{"External code": "Z9"})
    pd.concat([rows, ghost]).to_csv(next(tmp_path.glob("*.csv")))
    patients = mnms.find_patients({"folder": tmp_path})
    assert {patient.name: patient.excluded for patient in patients} == {"A1": "unlabelled", "Z9": "no folder"}


def test_nifti_reads_the_configured_csv(tmp_path):
    nifti_cohort(tmp_path, ["p1"])
    (tmp_path / "cohort.csv").rename(tmp_path / "mine.csv")
    (patient,) = nifti.find_patients({"folder": tmp_path, "csv": "mine.csv"})
    assert [case.label.name for case in patient.cases] == ["p1_ED_label.nii.gz", "p1_ES_label.nii.gz"]


def test_each_download_keeps_its_own_label_values_whatever_is_configured():
    configured = {"label_map": {"LVBP": 7, "LVM": 8, "RVBP": 9}}
    assert acdc.label_map(configured) == {"LVBP": 3, "LVM": 2, "RVBP": 1}
    assert mnms.label_map(configured) == {"LVBP": 1, "LVM": 2, "RVBP": 3}
    assert nifti.label_map(configured) == configured["label_map"]


def test_the_configuration_allows_the_registered_formats():
    of_cohorts_without_labels = {name for name, _ in LAYOUTS}
    assert set(get_args(Cohort.model_fields["format"].annotation)) == FORMATS.keys() | of_cohorts_without_labels


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_in_its_layout_passes(tmp_path, name):
    assert check_folder("x", write(tmp_path, name)) is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_without_the_layout_is_named_with_cohort_and_layout(tmp_path, name):
    message = check_folder("nhs", {"format": name, "folder": str(tmp_path)})
    assert f"cohort nhs: the folder {tmp_path} holds no patient" in message
    assert "cohorts.nhs.folder" in message
    assert FORMATS[name].LAYOUT in message


def test_a_missing_folder_has_no_names(tmp_path):
    assert raw_names({"format": "acdc", "folder": str(tmp_path / "nowhere")}) == []


def test_an_added_patient_changes_the_names(tmp_path):
    cohort = write(tmp_path, "acdc")
    before = raw_names(cohort)
    acdc_patient(tmp_path / "training/patient002")
    assert before == ["training/patient001"]
    assert raw_names(cohort) == ["training/patient001", "training/patient002"]


@pytest.mark.parametrize("name", ["mnms", "nifti"])
def test_a_changed_csv_changes_the_names_without_giving_its_content_away(tmp_path, name):
    cohort = write(tmp_path, name)
    before = raw_names(cohort)
    table = next(tmp_path.glob("*.csv"))
    table.write_text(table.read_text() + "\n")
    assert raw_names(cohort) != before
    assert not any("GE" in text or "p1" in text for text in raw_names(cohort))


def test_listing_formats_imports_no_image_library():
    code = "import sys, cmrslices.cohorts.convert; print({'nibabel', 'numpy', 'pandas', 'torch'} & set(sys.modules))"
    paths = [path for path in sys.path if path.endswith("workflow_scripts")]
    answer = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": paths[0]}, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "set()\n"
