"""A cohort's conversion: every case is accounted for, and the output has one layout."""

import runpy
import shutil
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml
from places import ROOT
from raw_cohorts import SPACING_MM, convert_to, grey, heart, mnms_cohort, nifti_cohort, oblique, save, write_csv

from cmrslices.cohorts.convert import FORMATS, nifti, volumes
from cmrslices.runtime.errors import InputError


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "raw"


@pytest.fixture
def convert(tmp_path, raw):
    out = tmp_path / "out"
    out.mkdir()

    def run(threads=1, code="code", **cohort):
        return convert_to(out, {"format": "nifti", "folder": str(raw), **cohort}, threads=threads, code=code)

    run.out = out

    return run


def test_files_are_named_after_cohort_patient_and_phase(convert, raw):
    nifti_cohort(raw, ["p1"])
    out = convert()
    assert sorted(path.name for path in (out / "images").iterdir()) == [
        "demo_p1_ED_0000.nii.gz",
        "demo_p1_ES_0000.nii.gz",
    ]
    assert sorted(path.name for path in (out / "labels").iterdir()) == ["demo_p1_ED.nii.gz", "demo_p1_ES.nii.gz"]


def test_every_case_has_a_row_with_what_was_done_to_it(convert, raw):
    rows = nifti_cohort(raw, ["p1"])
    write_csv(raw, rows.assign(group="DCM", vendor="GE"))
    row = pd.read_csv(convert() / "cases.csv", keep_default_na=False).iloc[0].to_dict()
    assert row == {
        "case": "demo_p1_ED",
        "patient": "p1",
        "phase": "ED",
        "excluded": False,
        "reason": "",
        "slices": 8,
        "spacing_x_mm": 1.5,
        "spacing_y_mm": 1.25,
        "spacing_z_mm": 8.0,
        "flipped": False,
        "direction_from": "labels",
        "repairs": "",
        "stack": "",
        "frame": "",
        "group": "DCM",
        "vendor": "GE",
        "model": "",
        "field_strength_t": "",
    }


def test_voxels_and_integer_type_of_an_image_are_kept(convert, raw):
    nifti_cohort(raw, ["p1"])
    image = nib.load(convert() / "images/demo_p1_ED_0000.nii.gz")
    assert image.get_data_dtype() == np.int16
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), grey(heart()))


def test_a_float_image_becomes_float32(convert, raw):
    nifti_cohort(raw, ["p1"])
    save(grey(heart()) / 7.0, raw / "p1_ED.nii.gz")
    assert nib.load(convert() / "images/demo_p1_ED_0000.nii.gz").get_data_dtype() == np.float32


def test_labels_are_mapped_to_lvbp_1_lvm_2_rvbp_3(convert, raw):
    nifti_cohort(raw, ["p1"])
    for phase in ("ED", "ES"):
        save(np.choose(heart(), [0, 30, 20, 10]).astype(float), raw / f"p1_{phase}_label.nii.gz")
    label = nib.load(convert(label_map={"LVBP": 30, "LVM": 20, "RVBP": 10}) / "labels/demo_p1_ED.nii.gz")
    assert label.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asanyarray(label.dataobj), heart())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("off", [1e-4, -1e-4, 9e-4])
def test_labels_that_are_rounded_are_their_whole_numbers(convert, raw, dtype, off):
    nifti_cohort(raw, ["p1"])
    save((heart() + off).astype(dtype), raw / "p1_ED_label.nii.gz")
    label = nib.load(convert() / "labels/demo_p1_ED.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(label.dataobj), heart())


@pytest.fixture
def apex_first(raw):
    """Write one patient whose slices, by header and labels, run from apex to base."""
    nifti_cohort(raw, ["p1"])
    for seed, phase in enumerate(("ES", "ED")):
        save(grey(heart(), seed)[:, :, ::-1], raw / f"p1_{phase}.nii.gz", oblique(base_first=False))
        save(heart()[:, :, ::-1], raw / f"p1_{phase}_label.nii.gz", oblique(base_first=False))


def test_slice_0_is_basal_whatever_the_source(convert, apex_first):
    out = convert()
    for name, expected in (("images/demo_p1_ES_0000", grey(heart())), ("labels/demo_p1_ES", heart())):
        np.testing.assert_array_equal(np.asanyarray(nib.load(out / f"{name}.nii.gz").dataobj), expected)
    assert pd.read_csv(out / "cases.csv")["flipped"].all()


def test_a_reversed_stack_keeps_its_place_in_the_scanner(convert, raw, apex_first):
    source, converted = nib.load(raw / "p1_ED.nii.gz"), nib.load(convert() / "images/demo_p1_ED_0000.nii.gz")
    np.testing.assert_allclose(converted.affine @ [14, 10, 2, 1], source.affine @ [14, 10, 5, 1], atol=1e-4)


def test_a_header_that_contradicts_the_labels_wins_and_is_reported(convert, raw, capfd):
    nifti_cohort(raw, ["p1"], oblique(base_first=False))
    cases = pd.read_csv(convert() / "cases.csv")
    assert cases["flipped"].all()
    assert set(cases["repairs"]) == {"direction-disagrees"}
    assert "WARNING: demo_p1_ED: direction-disagrees" in capfd.readouterr().out


def test_image_and_label_share_one_affine_that_simpleitk_reads(convert, raw):
    sheared = oblique()
    sheared[:3, 0] += 0.02 * sheared[:3, 1]
    nifti_cohort(raw, ["p1"], sheared)
    with pytest.raises(RuntimeError, match="orthonormal"):
        sitk.ReadImage(raw / "p1_ED.nii.gz")
    out = convert()
    image = sitk.ReadImage(out / "images/demo_p1_ED_0000.nii.gz")
    label = sitk.ReadImage(out / "labels/demo_p1_ED.nii.gz")
    np.testing.assert_allclose(image.GetSpacing(), SPACING_MM, rtol=1e-3)
    assert image.GetDirection() == label.GetDirection()
    assert image.GetOrigin() == label.GetOrigin()
    assert set(pd.read_csv(out / "cases.csv")["repairs"]) == {"directions-orthonormalised"}


def test_nothing_of_the_source_header_but_geometry_is_written(convert, raw):
    nifti_cohort(raw, ["p1"])
    file = nib.load(raw / "p1_ED.nii.gz")
    named = nib.Nifti1Image(np.asanyarray(file.dataobj), file.affine)
    named.header["descrip"], named.header["db_name"] = b"Jane Doe", b"12345"
    nib.save(named, raw / "p1_ED.nii.gz")
    header = nib.load(convert() / "images/demo_p1_ED_0000.nii.gz").header
    assert b"Jane Doe" not in header.binaryblock
    assert b"12345" not in header.binaryblock


def test_processes_do_not_change_the_result(convert, raw, tmp_path):
    nifti_cohort(raw, ["p1", "p2", "p3"])
    one = (convert() / "cases.csv").read_text()
    assert (convert(threads=2) / "cases.csv").read_text() == one


def test_an_excluded_patient_has_rows_with_the_reason_and_no_files(convert, raw, capfd):
    nifti_cohort(raw, ["p1", "p2"])
    (raw / "p2_ED.nii.gz").write_bytes(b"broken")
    out = convert(exclude={"p2": "wrap-around"})
    cases = pd.read_csv(out / "cases.csv").set_index("case")
    assert cases.loc[["demo_p2_ED", "demo_p2_ES"], "reason"].tolist() == ["wrap-around"] * 2
    assert cases["excluded"].sum() == 2
    assert not list(out.glob("*/demo_p2*"))
    log = capfd.readouterr().out
    assert "4 cases of 2 patients found = 2 converted + 2 excluded" in log
    assert "excluded: 2 cases, wrap-around" in log


def test_an_exclusion_that_matches_no_patient_is_an_error(convert, raw):
    nifti_cohort(raw, ["p1"])
    with pytest.raises(InputError, match=r"cohorts\.demo\.exclude: no patient p9"):
        convert(exclude={"p9": "typo"})


def test_a_cohort_without_any_case_left_is_an_error(convert, raw):
    nifti_cohort(raw, ["p1"])
    with pytest.raises(InputError, match="all 2 cases are excluded"):
        convert(exclude={"p1": "why not"})


def test_names_are_made_safe_for_files(convert, raw):
    rows = nifti_cohort(raw, ["p1"])
    write_csv(raw, rows.assign(patient="../Ann O'Hara/1"))
    assert (convert() / "labels/demo_---Ann-O-Hara-1_ED.nii.gz").is_file()


def test_the_frame_of_a_4d_source_is_recorded(tmp_path):
    mnms_cohort(tmp_path / "mnms", ["A1"])
    out = convert_to(tmp_path / "out", {"format": "mnms", "folder": str(tmp_path / "mnms")})
    assert pd.read_csv(out / "cases.csv").set_index("phase")["frame"].to_dict() == {"ED": 0, "ES": 2}


def test_a_format_needs_no_more_than_its_row_in_formats(convert, raw, monkeypatch):
    offered = ("LAYOUT", "list_names", "find_patients", "label_map", "read_patient")
    monkeypatch.setitem(FORMATS, "new", SimpleNamespace(**{name: getattr(nifti, name) for name in offered}))
    nifti_cohort(raw, ["p1"])
    assert len(pd.read_csv(convert(format="new") / "cases.csv")) == 2


@pytest.fixture
def reads(monkeypatch):
    """Names of the patients whose files are read."""
    names = []

    def read(patient, label_map):
        names.append(patient.name)
        return volumes.read_nifti_stacks(patient, label_map)

    monkeypatch.setattr(nifti, "read_patient", read)
    return names


def test_a_finished_study_is_not_read_again(convert, raw, reads):
    nifti_cohort(raw, ["p1", "p2"])
    first = {path.name: path.read_bytes() for path in convert().rglob("*.*")}
    reads.clear()
    shutil.rmtree(convert.out / "images")
    shutil.rmtree(convert.out / "labels")
    assert {path.name: path.read_bytes() for path in convert().rglob("*.*")} == first
    assert reads == []


def test_studies_finished_before_a_fault_are_kept(convert, raw, reads):
    nifti_cohort(raw, ["p1", "p2", "p3"])
    whole = (raw / "p2_ED.nii.gz").read_bytes()
    (raw / "p2_ED.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError):
        convert()
    (raw / "p2_ED.nii.gz").write_bytes(whole)
    reads.clear()
    convert()
    assert reads == ["p2"]


def test_a_changed_file_code_or_label_map_converts_the_study_again(convert, raw, reads):
    nifti_cohort(raw, ["p1", "p2"])
    convert()
    save(grey(heart()) + 1, raw / "p1_ED.nii.gz")
    reads.clear()
    convert()
    assert reads == ["p1"]
    convert(code="other")
    assert reads == ["p1", "p1", "p2"]
    with pytest.raises(InputError, match=r"the labels fit the label_map { LVBP: 1, LVM: 2, RVBP: 3 }"):
        convert(code="other", label_map={"LVBP": 1, "LVM": 3, "RVBP": 2})
    assert reads == ["p1", "p1", "p2", "p1", "p2"]


def test_a_patient_that_left_the_cohort_leaves_no_finished_study(convert, raw):
    rows = nifti_cohort(raw, ["p1", "p2"])
    convert()
    write_csv(raw, rows[rows["patient"] == "p1"])
    out = convert()
    assert [path.name for path in out.with_name("out_finished").iterdir()] == ["p1"]


def test_faults_are_offered_as_an_exclusion_list(convert, raw, capfd):
    nifti_cohort(raw, ["p1", "p2", "p3"])
    for patient in ("p1", "p3"):
        (raw / f"{patient}_ED.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError):
        convert()
    listed = yaml.safe_load(capfd.readouterr().out.split("configuration:\n")[1])
    assert set(listed["cohorts"]["demo"]["exclude"]) == {"p1", "p3"}
    assert convert(**listed["cohorts"]["demo"])


def test_the_synthetic_cohort_of_the_benchmarks_is_converted(convert, raw):
    stacks = runpy.run_path(str(ROOT / "tests/benchmarks/stacks.py"))
    stacks["raw_cohort"](raw, patients=6, shape=(10, 54, 64))
    convert()
