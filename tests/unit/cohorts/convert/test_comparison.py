"""Patients that share a file are a fault; patients whose images or labels are equal are a finding."""

import os
import shutil

import nibabel as nib
import pandas as pd
import pytest
from raw_cohorts import (
    BARE,
    acdc_patient,
    convert_to,
    grey,
    heart,
    heart_of,
    mnms_cohort,
    nifti_cohort,
    save,
    write_csv,
)

from cmrslices.runtime.errors import InputError

PATIENTS = ("p1", "p2", "p3")


@pytest.fixture
def raw(tmp_path):
    nifti_cohort(tmp_path / "raw", PATIENTS)
    return tmp_path / "raw"


@pytest.fixture
def convert(tmp_path):
    out = tmp_path / "out"
    out.mkdir()

    def run(folder, format="nifti", **cohort):
        convert_to(out, {"format": format, "folder": str(folder), **cohort})
        return pd.read_csv(out / "cases.csv", keep_default_na=False).set_index("case")["repairs"].to_dict()

    run.out = out
    return run


def use_in_csv(raw, column, old, new):
    rows = pd.read_csv(raw / "cohort.csv")
    write_csv(raw, rows.replace({column: {old: new}}))


FIRST_CASE = "demo_p1_ED"


# ---- Shared files -----------------------------------------------------------


@pytest.mark.parametrize(("kind", "ending"), [("image", ".nii.gz"), ("label", "_label.nii.gz")])
def test_a_file_that_the_csv_lists_for_two_patients_names_both(raw, convert, kind, ending):
    use_in_csv(raw, kind, f"p2_ES{ending}", f"p1_ED{ending}")
    shared = (
        rf"cohort demo: patient p1 ED {kind} \(p1_ED{ending}\) and patient p2 ES {kind} \(p1_ED{ending}\) are the same "
        r"file; give each case its own file, or leave a patient out: cohorts\.demo\.exclude"
    )
    with pytest.raises(InputError, match=shared):
        convert(raw)
    assert not list(convert.out.iterdir())


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic link", "hard link"])
def test_a_link_to_the_file_of_another_patient_names_both(raw, convert, link):
    (raw / "p2_ED.nii.gz").unlink()
    link(raw / "p1_ED.nii.gz", raw / "p2_ED.nii.gz")
    shared = r"patient p1 ED image \(p1_ED\.nii\.gz\) and patient p2 ED image \(p2_ED\.nii\.gz\) are the same file"
    with pytest.raises(InputError, match=shared):
        convert(raw)


def test_another_spelling_of_a_path_is_the_same_file(raw, convert):
    use_in_csv(raw, "label", "p2_ED_label.nii.gz", "./p1_ED_label.nii.gz")
    with pytest.raises(InputError, match=r"patient p1 ED label .* and patient p2 ED label .* are the same file"):
        convert(raw)


def test_header_and_voxels_of_a_pair_are_the_same_file(raw, convert):
    nib.save(nib.Nifti1Pair(grey(heart()), BARE), raw / "a.hdr")
    use_in_csv(raw, "image", "p1_ED.nii.gz", "a.hdr")
    use_in_csv(raw, "image", "p2_ED.nii.gz", "a.img")
    with pytest.raises(InputError, match=r"image \(a\.hdr\) and patient p2 ED image \(a\.img\) are the same file"):
        convert(raw)


def test_a_folder_that_is_a_link_to_another_patients_is_found(tmp_path, convert):
    folder = acdc_patient(tmp_path / "acdc/patient001")
    acdc_patient(tmp_path / "acdc/patient002")
    for file in folder.glob("*.nii.gz"):
        other = tmp_path / "acdc/patient002" / file.name.replace("001", "002")
        other.unlink()
        other.symlink_to(file)
    with pytest.raises(InputError, match=r"patient patient001 ED image .* and patient patient002 ED image") as fault:
        convert(tmp_path / "acdc", "acdc")
    assert str(fault.value).startswith("4 faults found:")


def test_to_exclude_one_of_the_two_mends_it(raw, convert):
    use_in_csv(raw, "image", "p2_ES.nii.gz", "p1_ED.nii.gz")
    assert len(convert(raw, exclude={"p2": "the images of p1"})) == 6


def test_a_label_that_serves_ed_and_es_is_named(raw, convert):
    use_in_csv(raw, "label", "p1_ES_label.nii.gz", "p1_ED_label.nii.gz")
    with pytest.raises(InputError, match=r"patient p1 ED label .* and patient p1 ES label .* are the same file"):
        convert(raw)


def test_an_image_that_is_its_own_label_is_named(raw, convert):
    use_in_csv(raw, "image", "p1_ED.nii.gz", "p1_ED_label.nii.gz")
    with pytest.raises(InputError, match=r"patient p1 ED image .* and patient p1 ED label .* are the same file"):
        convert(raw)


def test_frames_of_one_file_are_not_shared(tmp_path, convert):
    mnms_cohort(tmp_path / "mnms")
    assert len(convert(tmp_path / "mnms", "mnms")) == 4


# ---- Equal images and labels ------------------------------------------------


def warnings(capfd):
    return [line for line in capfd.readouterr().out.splitlines() if line.startswith("WARNING")]


def test_equal_images_of_two_patients_are_a_finding_of_both_and_the_log_names_them(raw, convert, capfd):
    shutil.copy(raw / "p1_ED.nii.gz", raw / "p3_ES.nii.gz")
    repairs = convert(raw)
    assert {case for case, words in repairs.items() if words == "image-of-another-patient"} == {
        FIRST_CASE,
        "demo_p3_ES",
    }
    assert set(repairs.values()) == {"", "image-of-another-patient"}
    assert warnings(capfd) == [
        "WARNING: cohort demo: demo_p1_ED and demo_p3_ES: the images are equal in every voxel; check that they are "
        "different patients"
    ]


def test_equal_labels_of_different_images_are_a_finding_too(raw, convert, capfd):
    shutil.copy(raw / "p1_ED_label.nii.gz", raw / "p2_ED_label.nii.gz")
    repairs = convert(raw)
    assert repairs[FIRST_CASE] == repairs["demo_p2_ED"] == "label-of-another-patient"
    assert any("demo_p2_ED: the labels are equal, but not the images; check" in line for line in warnings(capfd))


def test_equal_cases_have_one_finding(raw, convert):
    save(heart_of(9), raw / "p1_ES_label.nii.gz")
    for name in ("ED", "ED_label", "ES", "ES_label"):
        shutil.copy(raw / f"p1_{name}.nii.gz", raw / f"p2_{name}.nii.gz")
    assert convert(raw)[FIRST_CASE] == "image-of-another-patient"


def test_equal_labels_of_one_patient_are_no_finding(raw, convert):
    for patient in PATIENTS:
        shutil.copy(raw / f"{patient}_ED_label.nii.gz", raw / f"{patient}_ES_label.nii.gz")
    assert set(convert(raw).values()) == {""}


def test_a_finding_goes_when_the_other_patient_does(raw, convert):
    shutil.copy(raw / "p1_ED.nii.gz", raw / "p3_ES.nii.gz")
    convert(raw)
    save(grey(heart(), seed=99), raw / "p3_ES.nii.gz")
    assert set(convert(raw).values()) == {""}


def test_many_equal_cases_are_counted(tmp_path, convert, capfd):
    patients = [f"p{number:02d}" for number in range(12)]
    nifti_cohort(tmp_path / "many", patients)
    for patient in patients[1:]:
        shutil.copy(tmp_path / "many/p00_ED.nii.gz", tmp_path / f"many/{patient}_ED.nii.gz")
    convert(tmp_path / "many")
    assert any("and demo_p09_ED and 2 more: the images are equal" in line for line in warnings(capfd))
