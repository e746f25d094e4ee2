"""A cohort without labels from raw files to images and cases.csv."""

import nibabel as nib
import numpy as np
import pytest
from clinic import write_clinic
from new_patients import FRAMES, cine, convert_new, nifti_cines
from raw_cohorts import BARE, acdc_patient, oblique, save

from cmrslices.cohorts.tables import read_cases
from cmrslices.cohorts.unlabelled.patient import convert_patient
from cmrslices.runtime.errors import CollectedErrors, InputError


def row(folder, format="nifti", **keys):
    return {"format": format, "folder": str(folder), "frames": "all", **keys}


def voxels(out, case):
    return np.asanyarray(nib.load(out / f"images/{case}_0000.nii.gz").dataobj)


def test_every_frame_is_a_case_named_by_its_number(tmp_path):
    nifti_cines(tmp_path / "raw", ["p1"])
    out = convert_new(tmp_path / "out", row(tmp_path / "raw"))
    table = read_cases(out / "cases.csv")
    assert list(table["case"]) == [f"new_p1_f{frame:02d}" for frame in range(FRAMES)]
    assert list(table["phase"]) == [f"f{frame:02d}" for frame in range(FRAMES)]
    assert list(table["frame"]) == list(range(FRAMES))
    assert sorted(file.name for file in (out / "images").iterdir()) == [f"{case}_0000.nii.gz" for case in table["case"]]
    np.testing.assert_array_equal(voxels(out, "new_p1_f02"), cine(0)[..., 2])


def test_a_stack_with_its_apex_first_is_reversed_by_its_header(tmp_path):
    nifti_cines(tmp_path / "raw", ["p1"], affine=oblique(base_first=False))
    out = convert_new(tmp_path / "out", row(tmp_path / "raw"))
    table = read_cases(out / "cases.csv")
    assert table["flipped"].all()
    assert set(table["direction_from"]) == {"header"}
    np.testing.assert_array_equal(voxels(out, "new_p1_f00"), cine(0)[:, :, ::-1, 0])


def test_a_bare_header_keeps_the_stored_order_with_a_doubt(tmp_path, capsys):
    folder = acdc_patient(tmp_path / "raw/testing/patient101")
    save(cine(), folder / "patient101_4d.nii.gz", BARE)
    out = convert_new(tmp_path / "out", row(tmp_path / "raw", "acdc"))
    table = read_cases(out / "cases.csv")
    assert not table["flipped"].any()
    assert set(table["direction_from"]) == {"stored"}
    assert table["repairs"].str.contains("direction-undecided").all()
    assert "WARNING: cohort new: of 1 patients, the header does not tell base from apex" in capsys.readouterr().out


def test_listed_phases_need_no_label_file(tmp_path):
    folder = acdc_patient(tmp_path / "raw/testing/patient101")
    for label in folder.glob("*_gt.nii.gz"):
        label.unlink()
    out = convert_new(tmp_path / "out", row(tmp_path / "raw", "acdc", frames="listed"))
    assert list(read_cases(out / "cases.csv")["phase"]) == ["ED", "ES"]


def test_a_dicom_study_gives_its_scanner_and_its_stack(tmp_path):
    out = convert_new(tmp_path / "out", row(write_clinic(tmp_path / "raw", [1]), "dicom"))
    table = read_cases(out / "cases.csv")
    assert len(table) == 8
    assert set(table["vendor"]) == {"Siemens"}
    assert table["stack"].str.contains("the only stack of cines").all()


def test_an_excluded_patient_is_one_row_without_a_phase(tmp_path):
    nifti_cines(tmp_path / "raw")
    out = convert_new(tmp_path / "out", row(tmp_path / "raw", exclude={"p2": "blurred"}))
    table = read_cases(out / "cases.csv")
    (left_out,) = table[table["excluded"]].itertuples()
    assert (left_out.case, left_out.phase, left_out.reason) == ("new_p2", "", "blurred")
    assert len(table) == FRAMES + 1


def test_all_faults_of_all_patients_are_named_and_nothing_is_left(tmp_path):
    nifti_cines(tmp_path / "raw", ["p1", "p2", "p3"])
    (tmp_path / "raw/p1.nii.gz").unlink()
    save(cine()[..., 0], tmp_path / "raw/p3.nii.gz")
    with pytest.raises(CollectedErrors) as fault:
        convert_new(tmp_path / "out", row(tmp_path / "raw"))
    assert [line.split(":")[0] for line in fault.value.faults] == ["cohort new, patient p1", "cohort new, patient p3"]
    assert not (tmp_path / "out/images").exists()


def test_a_folder_without_a_patient_is_named_with_its_layout(tmp_path):
    with pytest.raises(InputError, match=r"set cohorts\.new\.folder to a folder in the layout 'nifti' without labels"):
        convert_new(tmp_path / "out", row(tmp_path))


def test_equal_images_of_two_patients_and_equal_frames_of_one_are_doubts(tmp_path):
    nifti_cines(tmp_path / "raw")
    same = cine(5)
    same[..., 3] = same[..., 2]
    for name in ("p1", "p2"):
        save(same, tmp_path / f"raw/{name}.nii.gz", oblique())
    repairs = read_cases(convert_new(tmp_path / "out", row(tmp_path / "raw")) / "cases.csv")["repairs"]
    assert set(repairs) == {"equal-frames-1;image-of-another-patient"}


def test_an_unchanged_patient_is_not_read_again(tmp_path, monkeypatch):
    nifti_cines(tmp_path / "raw", ["p1"])
    convert_new(tmp_path / "out", row(tmp_path / "raw"))
    monkeypatch.setattr(f"{convert_patient.__module__}.read_images", None)
    assert len(read_cases(convert_new(tmp_path / "out", row(tmp_path / "raw")) / "cases.csv")) == FRAMES


def test_a_changed_patient_is_read_again(tmp_path):
    nifti_cines(tmp_path / "raw", ["p1"])
    convert_new(tmp_path / "out", row(tmp_path / "raw"))
    save(cine(9), tmp_path / "raw/p1.nii.gz", oblique())
    out = convert_new(tmp_path / "out", row(tmp_path / "raw"))
    np.testing.assert_array_equal(voxels(out, "new_p1_f01"), cine(9)[..., 1])
