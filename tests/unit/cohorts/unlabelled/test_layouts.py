"""Where the images of patients without labels are found in each raw layout."""

import pandas as pd
import pytest
from new_patients import cine, nifti_cines
from raw_cohorts import acdc_patient, mnms_cohort, nifti_cohort, save, write_csv

from cmrslices.cohorts.unlabelled.layouts import check_folder, files_of, find_patients, raw_names
from cmrslices.runtime.errors import InputError


def row(folder, format, frames="all", **keys):
    return {"format": format, "folder": str(folder), "frames": frames, **keys}


def found(cohort):
    """Patient to the name, phase and frame of each of its images."""
    return {
        patient.name: [(image.path.name, image.phase, image.frame) for image in patient.images]
        for patient in find_patients(cohort)
    }


def test_acdc_has_a_4d_file_for_each_patient(tmp_path):
    acdc_patient(tmp_path / "training/patient001")
    assert found(row(tmp_path, "acdc")) == {"patient001": [("patient001_4d.nii.gz", "", None)]}


def test_acdc_lists_the_frames_of_its_info_file(tmp_path):
    acdc_patient(tmp_path / "training/patient001")
    assert found(row(tmp_path, "acdc", "listed")) == {
        "patient001": [("patient001_frame01.nii.gz", "ED", None), ("patient001_frame09.nii.gz", "ES", None)]
    }


def test_an_info_file_without_phases_does_not_matter_for_a_whole_cine(tmp_path):
    folder = acdc_patient(tmp_path / "testing/patient101")
    (folder / "Info.cfg").write_text("Group: DCM\n")
    (patient,) = find_patients(row(tmp_path, "acdc"))
    assert patient.fault == ""
    (patient,) = find_patients(row(tmp_path, "acdc", "listed"))
    assert "no key ED, ES" in patient.fault


def test_mnms_has_a_4d_file_for_each_patient_and_its_csv_names_the_phases(tmp_path):
    mnms_cohort(tmp_path, codes=["A1"])
    assert found(row(tmp_path, "mnms")) == {"A1": [("A1_sa.nii.gz", "", None)]}
    assert found(row(tmp_path, "mnms", "listed")) == {"A1": [("A1_sa.nii.gz", "ED", 0), ("A1_sa.nii.gz", "ES", 2)]}


def test_the_unlabelled_patients_of_mnms_are_patients_here(tmp_path):
    mnms_cohort(tmp_path, codes=["A1"], part="Training/Unlabeled")
    (patient,) = find_patients(row(tmp_path, "mnms", "listed"))
    assert (patient.excluded, patient.group, patient.vendor) == ("", "HCM", "GE")
    assert [image.frame for image in patient.images] == [0, 2]


def test_a_patient_of_mnms_without_a_row_is_at_fault_only_if_phases_are_listed(tmp_path):
    mnms_cohort(tmp_path, codes=["A1"])
    save(cine(), tmp_path / "Testing/B2/B2_sa.nii.gz")
    assert not any(patient.fault for patient in find_patients(row(tmp_path, "mnms")))
    faults = {patient.name: patient.fault for patient in find_patients(row(tmp_path, "mnms", "listed"))}
    assert faults["A1"] == ""
    assert "no row in the information CSV" in faults["B2"]


def test_a_csv_lists_a_cine_for_each_patient(tmp_path):
    nifti_cines(tmp_path)
    assert found(row(tmp_path, "nifti")) == {"p1": [("p1.nii.gz", "", None)], "p2": [("p2.nii.gz", "", None)]}


def test_a_csv_without_a_column_of_labels_lists_ed_and_es(tmp_path):
    write_csv(tmp_path, nifti_cohort(tmp_path, ["p1"]).drop(columns="label"))
    assert [name[1:] for name in found(row(tmp_path, "nifti", "listed"))["p1"]] == [("ED", None), ("ES", None)]


def test_a_patient_with_two_cines_or_one_phase_is_at_fault(tmp_path):
    table = nifti_cines(tmp_path, ["p1"])
    write_csv(tmp_path, pd.concat([table, table]))
    (patient,) = find_patients(row(tmp_path, "nifti"))
    assert "the patient has 2 rows; list one 4D file" in patient.fault
    write_csv(tmp_path, table.assign(phase="ED"))
    (patient,) = find_patients(row(tmp_path, "nifti", "listed"))
    assert "the patient has the phases ED; list ED and ES" in patient.fault


def test_a_path_out_of_the_folder_is_a_fault(tmp_path):
    write_csv(tmp_path, nifti_cines(tmp_path, ["p1"]).assign(image="../p1.nii.gz"))
    (patient,) = find_patients(row(tmp_path, "nifti"))
    assert "leads out of the folder" in patient.fault


def test_a_csv_without_a_needed_column_is_refused(tmp_path):
    write_csv(tmp_path, nifti_cines(tmp_path).drop(columns="image"))
    with pytest.raises(InputError, match="no column image"):
        find_patients(row(tmp_path, "nifti"))


def test_a_dicom_study_is_a_folder_of_which_every_file_counts(tmp_path):
    (tmp_path / "P1/deep").mkdir(parents=True)
    (tmp_path / "P1/deep/1.dcm").write_bytes(b"")
    cohort = row(tmp_path, "dicom")
    (patient,) = find_patients(cohort)
    assert files_of(patient) == [tmp_path / "P1/deep/1.dcm"]
    assert raw_names(cohort) == ["P1"]


def test_an_empty_folder_is_named_with_the_layout(tmp_path):
    assert check_folder("new", row(tmp_path, "acdc")).endswith("that holds patientNNN_4d.nii.gz")
    assert "does not exist" in check_folder("new", row(tmp_path / "gone", "dicom"))
