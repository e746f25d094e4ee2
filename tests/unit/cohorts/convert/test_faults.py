"""Bad input: one message that names patient, file, fault and remedy, and no output."""

import gzip
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from damage import flip_bit
from raw_cohorts import BARE, acdc_patient, convert_to, grey, heart, mnms_cohort, nifti_cohort, oblique, save, write_csv

from cmrslices.runtime.errors import InputError


@pytest.fixture
def raw(tmp_path):
    nifti_cohort(tmp_path / "raw", ["p1", "p2"])
    return tmp_path / "raw"


@pytest.fixture
def fault_of(tmp_path):
    """Convert, expect failure without output, return the message."""
    out = tmp_path / "out"

    def run(folder, format="nifti"):
        cohort = {"format": format, "folder": str(folder)}
        with pytest.raises(InputError) as fault:
            convert_to(out, cohort)
        assert not list(out.glob("*")), "partial output"
        return str(fault.value)

    return run


def label_file(raw, change, patient="p1"):
    label = heart().astype(float)
    change(label)
    return save(label, raw / f"{patient}_ED_label.nii.gz")


def image_file(raw, voxels, affine=BARE):
    return save(voxels, raw / "p1_ED.nii.gz", affine)


def expect(message, *parts):
    """One line that names patient p1 and has every part, the way out included."""
    lines = message.splitlines()
    assert lines[0] == "1 fault found:"
    assert len(lines) == 2
    for part in ("cohort demo, patient p1", "cohorts.demo.exclude", *parts):
        assert part in lines[1]


def test_truncated_image(raw, fault_of):
    path = raw / "p1_ED.nii.gz"
    path.write_bytes(path.read_bytes()[:500])
    expect(fault_of(raw), "p1_ED.nii.gz: truncated", "fetch it again")


def test_truncated_after_the_header(raw, fault_of):
    path = raw / "p1_ED.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:3000]))
    expect(fault_of(raw), "p1_ED.nii.gz: truncated")


@pytest.mark.parametrize("name", ["p1_ED", "p1_ED_label"])
def test_changed_in_one_bit(raw, fault_of, name):
    flip_bit(raw / f"{name}.nii.gz")
    expect(fault_of(raw), f"{name}.nii.gz: truncated or not what its name says (CRC check failed", "fetch it again")


@pytest.mark.parametrize("name", ["p1_ED", "p1_ED_label"])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 1])
def test_changed_in_the_compressed_stream(raw, fault_of, name, place):
    path = raw / f"{name}.nii.gz"
    stored = bytearray(path.read_bytes())
    stored[int(place * (len(stored) - 1))] ^= 0x10
    path.write_bytes(stored)
    expect(fault_of(raw), f"{name}.nii.gz: truncated or not what its name says (", "fetch it again")


@pytest.mark.parametrize(
    "content",
    [b"not gzip at all", b"", gzip.compress(b"gzip, but no NIfTI", mtime=0)],
    ids=["text", "empty", "gzip of text"],
)
def test_no_nifti(raw, fault_of, content):
    (raw / "p1_ED.nii.gz").write_bytes(content)
    expect(fault_of(raw), "p1_ED.nii.gz: truncated or not what its name says")


def test_uncompressed_nifti_under_a_gzip_name(raw, fault_of):
    path = raw / "p1_ED.nii.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    expect(fault_of(raw), "p1_ED.nii.gz: truncated or not what its name says")


def test_missing_file(raw, fault_of):
    (raw / "p1_ED_label.nii.gz").unlink()
    expect(fault_of(raw), "p1_ED_label.nii.gz: the file is missing")


def test_other_shape_of_image_and_label(raw, fault_of):
    save(heart()[:, :, :-1], raw / "p1_ED_label.nii.gz")
    expect(fault_of(raw), "p1_ED_label.nii.gz: 24 x 20 x 7 voxels, but its image has 24 x 20 x 8")


@pytest.mark.parametrize(
    "affine",
    [np.diag([-1.6, -1.25, 8, 1]), np.diag([1.5, -1.25, 8, 1]), oblique(), BARE + np.eye(4, k=3)],
    ids=["spacing", "mirrored", "oblique", "shifted"],
)
def test_other_grid_of_image_and_label(raw, fault_of, affine):
    save(heart(), raw / "p1_ED_label.nii.gz", affine)
    expect(fault_of(raw), "p1_ED_label.nii.gz: its grid lies up to", "resample it to the image")


def test_rounding_of_a_header_is_no_other_grid(raw, tmp_path):
    save(heart(), raw / "p1_ED_label.nii.gz", BARE + 1e-4 * np.eye(4, k=3))
    out = convert_to(tmp_path / "out", {"format": "nifti", "folder": str(raw)})
    assert (out / "cases.csv").is_file()


def test_unknown_label_value(raw, fault_of):
    label_file(raw, lambda label: np.put(label, [0, 1], [4, 7]))
    expect(fault_of(raw), "p1_ED_label.nii.gz: unknown label values 4, 7; known are 0 and 1 LVBP, 2 LVM, 3 RVBP")


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_label_value_that_is_no_whole_number(raw, fault_of, value):
    label_file(raw, lambda label: np.put(label, [0], [value]))
    expect(fault_of(raw), f"unknown label values {value:g}")


def test_a_label_that_was_resampled_with_interpolation(raw, fault_of):
    label_file(raw, lambda label: np.put(label, [0, 1, 2], [0.37, 1.9, 2]))
    message = fault_of(raw)
    expect(
        message, "p1_ED_label.nii.gz: unknown label values 0.37, 1.9; label values are not whole numbers, such as 0.37"
    )
    expect(message, "the label map was resampled with interpolation; use nearest neighbour")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("change", [0.002, 1e-2])
def test_a_value_near_a_whole_number_is_shown_with_all_its_digits(raw, fault_of, dtype, change):
    save((heart() * (1 + change)).astype(dtype), raw / "p1_ED_label.nii.gz")
    shown = ", ".join(f"{dtype(value * (1 + change))}" for value in (1, 2, 3))
    expect(fault_of(raw), f"unknown label values {shown}; label values are not whole numbers")


def test_an_unknown_value_that_is_rounded_is_shown_as_its_whole_number(raw, fault_of):
    label_file(raw, lambda label: np.put(label, [0], [4.0001]))
    expect(fault_of(raw), "unknown label values 4; known are 0 and 1 LVBP")


def test_a_label_without_geometry_beside_an_image_that_has_one(raw, fault_of):
    save(heart(), raw / "p1_ED_label.nii.gz", np.eye(4))
    message = fault_of(raw)
    expect(
        message, "p1_ED_label.nii.gz: its grid lies up to", "copy the image's geometry onto it (its header was lost)"
    )
    assert "resample" not in message


def test_an_image_without_geometry_beside_a_label_that_has_one(raw, fault_of):
    image_file(raw, grey(heart()), np.eye(4))
    message = fault_of(raw)
    expect(message, "p1_ED.nii.gz: its grid lies", "copy the label's geometry onto it (its header was lost)")
    assert "resample" not in message


def test_values_beyond_float32(raw, fault_of):
    image_file(raw, (grey(heart()) + 1) * 1e37)
    expect(fault_of(raw), "p1_ED.nii.gz: the largest value is 2.2e+39, but float32", "ends at 3.4e+38")


def test_label_empty_in_all_slices(raw, fault_of):
    label_file(raw, lambda label: label.fill(0))
    expect(fault_of(raw), "p1_ED_label.nii.gz: the label is empty in all slices")


def test_gap_between_labelled_slices(raw, fault_of):
    save(heart(empty_slices=(0, 3, 4, 7)), raw / "p1_ED_label.nii.gz")
    expect(fault_of(raw), "a gap between labelled slices, at index 3, 4")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_image_that_is_not_finite(raw, fault_of, value):
    voxels = grey(heart()).astype(np.float32)
    voxels[1, 2, 3] = value
    image_file(raw, voxels)
    expect(fault_of(raw), "p1_ED.nii.gz: the image holds NaN or infinite values")


def test_constant_image(raw, fault_of):
    image_file(raw, np.full_like(grey(heart()), 7))
    expect(fault_of(raw), "p1_ED.nii.gz: the image is constant")


@pytest.mark.parametrize("slices", [np.s_[:, :, 3], np.s_[:, :, 3:4]])
def test_2d_image(raw, fault_of, slices):
    image_file(raw, grey(heart())[slices])
    expect(fault_of(raw), "p1_ED.nii.gz: a 2D image")


def test_4d_image_where_3d_is_needed(raw, fault_of):
    image_file(raw, np.stack([grey(heart())] * 2, axis=3))
    expect(fault_of(raw), "p1_ED.nii.gz: 4D, where 3D is needed")


def test_colour_image(raw, fault_of):
    image_file(raw, np.zeros((24, 20, 8), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]))
    expect(fault_of(raw), "grey values or labels are needed")


def test_header_without_a_usable_affine(raw, fault_of):
    file = nib.load(raw / "p1_ED.nii.gz")
    file.header.set_sform(np.zeros((4, 4)), code=1)
    flat = nib.Nifti1Image(np.asanyarray(file.dataobj), None, file.header)
    nib.save(flat, raw / "p1_ED.nii.gz")
    expect(fault_of(raw), "the header's axes do not span space")


def test_phases_that_run_opposite_ways(raw, fault_of):
    for phase, base_first in (("ED", True), ("ES", False)):
        save(grey(heart()), raw / f"p1_{phase}.nii.gz", oblique(base_first))
        save(heart(), raw / f"p1_{phase}_label.nii.gz", oblique(base_first))
    expect(fault_of(raw), "the headers of ED and ES run in opposite directions")


def test_missing_phase(raw, fault_of):
    rows = pd.read_csv(raw / "cohort.csv")
    write_csv(raw, rows[(rows["patient"] != "p1") | (rows["phase"] != "ES")])
    expect(fault_of(raw), "cohort.csv: the patient has the phases ED; list ED and ES, once each")


def test_unknown_phase(raw, fault_of):
    write_csv(raw, pd.read_csv(raw / "cohort.csv").replace({"phase": {"ES": "systole"}}).drop(index=[2, 3]))
    expect(fault_of(raw), "the patient has the phases ED, systole; list ED and ES, once each")


def test_case_listed_twice(raw, fault_of):
    rows = pd.read_csv(raw / "cohort.csv")
    write_csv(raw, pd.concat([rows, rows[:1]]))
    expect(fault_of(raw), "the patient has the phases ED, ED, ES; list ED and ES, once each")


def test_column_missing_in_the_csv(raw, fault_of):
    write_csv(raw, pd.read_csv(raw / "cohort.csv").drop(columns="label"))
    message = fault_of(raw)
    assert re.search(r"cohort\.csv: no column label, only patient, phase, image; add it", message)


def test_ragged_csv(raw, fault_of):
    with (raw / "cohort.csv").open("a") as file:
        file.write("p3,ED,one,two,three\n")
    assert "cohort.csv: row 5 has not the 4 cells of the header" in fault_of(raw)


def test_empty_csv(raw, fault_of):
    (raw / "cohort.csv").write_text("")
    assert "cohort.csv: no column patient, phase, image, label" in fault_of(raw)


def test_csv_without_patients(raw, fault_of):
    (raw / "cohort.csv").write_text("patient,phase,image,label\n")
    assert "lists no patient; its layout is: cohort.csv" in fault_of(raw)


@pytest.mark.parametrize("path", ["../p1_ED.nii.gz", "sub/../../p1_ED.nii.gz", "/etc/passwd", ""])
def test_path_out_of_the_folder(raw, fault_of, path):
    rows = pd.read_csv(raw / "cohort.csv")
    rows.loc[0, "image"] = path
    write_csv(raw, rows)
    expect(fault_of(raw), f"cohort.csv: the path '{path}' leads out of the folder")


def test_link_out_of_the_folder(raw, fault_of, tmp_path):
    (raw / "p1_ED.nii.gz").rename(tmp_path / "elsewhere.nii.gz")
    (raw / "p1_ED.nii.gz").symlink_to(tmp_path / "elsewhere.nii.gz")
    expect(fault_of(raw), "cohort.csv: the path 'p1_ED.nii.gz' is a link out of the folder")


def test_names_that_clash_once_made_safe(raw, fault_of):
    write_csv(raw, pd.read_csv(raw / "cohort.csv").replace({"patient": {"p1": "a b", "p2": "a/b"}}))
    message = fault_of(raw)
    assert "cohort.csv: another patient becomes 'a-b' in file names too; rename one" in message
    assert [line.split(":")[0] for line in message.splitlines()[1:]] == [
        "cohort demo, patient a b",
        "cohort demo, patient a/b",
    ]


def test_patient_without_a_name(raw, fault_of):
    write_csv(raw, pd.read_csv(raw / "cohort.csv").replace({"patient": {"p1": ""}}))
    assert "a patient has no name" in fault_of(raw)


def test_faults_of_all_patients_are_reported_together(raw, fault_of):
    label_file(raw, lambda label: label.fill(0), "p1")
    label_file(raw, lambda label: label.fill(9), "p2")
    (raw / "p2_ES.nii.gz").write_bytes(b"")
    first, *lines = fault_of(raw).splitlines()
    assert first == "3 faults found:"
    assert [line.split(":")[0] for line in lines] == [
        "cohort demo, patient p1",
        "cohort demo, patient p2",
        "cohort demo, patient p2",
    ]


def test_missing_folder_names_cohort_folder_and_layout(tmp_path, fault_of):
    message = fault_of(tmp_path / "nowhere", format="acdc")
    assert message.startswith(f"cohort demo: the folder {tmp_path / 'nowhere'} does not exist")
    assert "patientNNN_frameFF_gt.nii.gz" in message


def test_acdc_without_info(tmp_path, fault_of):
    (acdc_patient(tmp_path / "acdc/patient001") / "Info.cfg").unlink()
    message = fault_of(tmp_path / "acdc", format="acdc")
    assert "patient patient001" in message
    assert "Info.cfg: missing or not text; it names the ED and ES frames" in message


@pytest.mark.parametrize(("info", "fault"), [("ED: 1\n", "no key ES"), ("ED: 0\nES: 9\n", "ED: '0' is no frame")])
def test_acdc_with_a_faulty_info(tmp_path, fault_of, info, fault):
    (acdc_patient(tmp_path / "acdc/patient001") / "Info.cfg").write_text(info)
    assert f"Info.cfg: {fault}" in fault_of(tmp_path / "acdc", format="acdc")


def test_acdc_patient_without_the_es_file(tmp_path, fault_of):
    (acdc_patient(tmp_path / "acdc/patient001") / "patient001_frame09.nii.gz").unlink()
    message = fault_of(tmp_path / "acdc", format="acdc")
    assert "patient patient001: ES: " in message
    assert "patient001_frame09.nii.gz: the file is missing" in message


def test_acdc_patient_in_two_parts(tmp_path, fault_of):
    for part in ("training", "testing"):
        acdc_patient(tmp_path / "acdc" / part / "patient001")
    message = fault_of(tmp_path / "acdc", format="acdc")
    assert "acdc/testing/patient001 and " in message
    assert "acdc/training/patient001: the patient is listed twice; list it once" in message


def mnms_csv(folder):
    return next(folder.glob("*.csv"))


def test_mnms_without_csv(tmp_path, fault_of):
    mnms_cohort(tmp_path)
    mnms_csv(tmp_path).unlink()
    assert "one information CSV is needed, found none" in fault_of(tmp_path, format="mnms")


def test_mnms_csv_without_a_column(tmp_path, fault_of):
    mnms_cohort(tmp_path).drop(columns="ES").to_csv(mnms_csv(tmp_path))
    assert "opendataset.csv: no column ES" in fault_of(tmp_path, format="mnms")


def test_mnms_patient_listed_twice(tmp_path, fault_of):
    rows = mnms_cohort(tmp_path)
    pd.concat([rows, rows[:1]]).to_csv(mnms_csv(tmp_path))
    message = fault_of(tmp_path, format="mnms")
    assert "patient A1: " in message
    assert "opendataset.csv: the patient is listed twice; list it once" in message


def test_mnms_folder_without_row(tmp_path, fault_of):
    mnms_cohort(tmp_path)[1:].to_csv(mnms_csv(tmp_path))
    message = fault_of(tmp_path, format="mnms")
    assert "patient A1" in message
    assert "no row in 211230_M&Ms_Dataset_information_diagnosis_opendataset.csv" in message


@pytest.mark.parametrize(
    ("value", "fault"), [("", "column ES: '' is no frame"), ("3", "no frame with index 3 among 3")]
)
def test_mnms_with_a_faulty_frame(tmp_path, fault_of, value, fault):
    mnms_cohort(tmp_path).astype({"ES": str}).assign(ES=[value, "2"]).to_csv(mnms_csv(tmp_path))
    assert fault in fault_of(tmp_path, format="mnms")
