"""DICOM studies with cvi42 workspaces, through the whole conversion: what comes out, and what stops a patient."""

import re
import shutil
from itertools import chain

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from clinic import CANON, GE, PHILIPS_ENHANCED, SPACING_MM, Exam, small_patient, uid_of, write_clinic
from places import REAL_DATA
from raw_cohorts import convert_to
from shapely import Polygon

from cmrslices.cohorts.convert.cvi42 import study
from cmrslices.demo.layouts import short_axis_affine
from cmrslices.demo.workspace import write_workspace
from cmrslices.labels import LABELS, PHASES
from cmrslices.runtime.errors import InputError

MPEG2 = "1.2.840.10008.1.2.4.100"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    return write_clinic(tmp_path_factory.mktemp("clinic") / "raw")


@pytest.fixture(scope="module")
def converted(clinic, tmp_path_factory):
    return convert_to(tmp_path_factory.mktemp("converted") / "out", {"format": "cvi42", "folder": str(clinic)})


@pytest.fixture
def exam(clinic, tmp_path):
    """One patient from a GE scanner, to be spoilt."""
    shutil.copytree(clinic / f"P{GE:04d}", tmp_path / "raw/P1")
    return Exam(tmp_path / "raw/P1")


@pytest.fixture
def fault_of(exam, tmp_path):
    """Convert the patient, expect one fault and no output, return the line."""

    def run():
        with pytest.raises(InputError) as fault:
            convert_to(tmp_path / "out", {"format": "cvi42", "folder": str(tmp_path / "raw")})
        first, *lines = str(fault.value).splitlines()
        assert first == "1 fault found:"
        assert len(lines) == 1
        assert not (tmp_path / "out").exists()
        assert lines[0].startswith("cohort demo, patient P1: ")
        assert lines[0].endswith("(or leave the patient out: cohorts.demo.exclude)")
        return lines[0]

    return run


def cases(out):
    return pd.read_csv(out / "cases.csv", keep_default_na=False).set_index("case")


def voxels(out, kind, case):
    return np.asanyarray(nib.load(out / kind / f"{case}.nii.gz").dataobj)


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("phase", PHASES)
def test_images_of_every_maker_come_back_to_the_voxel(converted, number, phase):
    patient = small_patient(number)
    image = voxels(converted, "images", f"demo_P{number:04d}_{phase}_0000")
    labelled = patient.labels[phase].any(axis=(0, 1))  # a repeat of an unlabelled slice may be the one that is taken
    np.testing.assert_array_equal(image[..., labelled], patient.images[patient.frames[phase]][..., labelled])


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("phase", PHASES)
def test_labels_of_every_maker_come_back_without_shift(converted, number, phase):
    label = voxels(converted, "labels", f"demo_P{number:04d}_{phase}")
    expected = small_patient(number).labels[phase]
    for value in LABELS.values():
        for found, true in zip(np.moveaxis(label == value, 2, 0), np.moveaxis(expected == value, 2, 0), strict=True):
            if true.sum() * SPACING_MM[0] * SPACING_MM[1] > 50:
                assert 2 * (found & true).sum() / (found.sum() + true.sum()) >= 0.99


@pytest.mark.parametrize("number", range(1, 8))
def test_image_and_label_lie_where_the_scanner_put_them(converted, number):
    base_first = short_axis_affine(SPACING_MM) @ np.diag([1, 1, -1, 1.0])
    for kind, case in (("images", f"demo_P{number:04d}_ED_0000"), ("labels", f"demo_P{number:04d}_ED")):
        affine = nib.load(converted / kind / f"{case}.nii.gz").affine
        np.testing.assert_allclose(affine[:3, :3], base_first[:3, :3], atol=1e-4)


def test_what_was_taken_and_why_is_in_cases_csv(converted):
    rows = cases(converted)
    assert rows["stack"].str.contains(r"8 slices x 8 frames").all()
    assert rows.loc["demo_P0001_ED", "stack"].startswith("8 slices x 8 frames of 8 of ")
    assert rows.loc["demo_P0002_ED", "stack"].endswith("; slice index 1 repeated: the contoured acquisition")


def test_scanner_and_frame_are_in_cases_csv(converted):
    row = cases(converted).loc[f"demo_P{CANON:04d}_ED"]
    assert (row["vendor"], row["model"], row["field_strength_t"]) == ("Canon", "Model D", 1.5)
    frames = cases(converted).groupby("patient")["frame"].nunique()
    assert (frames == 2).all()


def test_processes_do_not_change_the_result(clinic, converted, tmp_path):
    out = convert_to(tmp_path / "out", {"format": "cvi42", "folder": str(clinic)}, threads=2)
    assert (out / "cases.csv").read_bytes() == (converted / "cases.csv").read_bytes()


def test_no_workspace(exam, fault_of):
    exam.workspace.unlink()
    assert re.search(r"no \.cvi42wsx workspace .*; put the exported workspace there", fault_of())


def test_two_workspaces(exam, fault_of):
    (exam.folder / "old").mkdir()
    shutil.copy(exam.workspace, exam.folder / "old/first.cvi42wsx")
    assert re.search(r"2 workspaces \(old/first.cvi42wsx, workspace.cvi42wsx\); keep the one", fault_of())


def test_a_workspace_of_another_patient(exam, fault_of, clinic):
    exam.copy_workspace(Exam(clinic / f"P{CANON:04d}"))
    assert re.search(r"none of its 12 contoured images is in the study.* another patient.*: put the two", fault_of())


def test_contours_that_name_no_image_here(exam, fault_of):
    exam.contoured()[2][0].unlink()
    assert re.search(r"1 of its 12 contoured images are not in the study; export these images too", fault_of())


def test_a_contour_without_a_resolution_tag(exam, fault_of):
    text = exam.workspace.read_text()
    exam.workspace.write_text(re.sub(r"<(\w+:item \w+:key=\"SubpixelResolution\")>\d+</\w+:item>", "", text, count=1))
    assert re.search(r"workspace.cvi42wsx: line \d+: sa\w+Contour without SubpixelResolution; export", fault_of())


def test_a_contour_that_crosses_itself(exam, fault_of):
    text = exam.workspace.read_text()
    points = re.search(r'"Points">(.*?)</\w+:item></\w+:item>', text)[1]
    items = re.findall(r"<List:item>.*?</List:item>", points)
    quarter = len(items) // 4
    crossed = items[:quarter] + items[quarter : 3 * quarter][::-1] + items[3 * quarter :]
    exam.rewrite("".join(items), "".join(crossed), 1)
    assert re.search(r"workspace.cvi42wsx: on DICOM/\S+: \w\w \w+: the contour crosses itself.*; redraw it", fault_of())


def test_an_epicardium_inside_the_endocardium(exam, fault_of):
    exam.rewrite("saendocardialContour", "swapped")
    exam.rewrite("saepicardialContour", "saendocardialContour")
    exam.rewrite("swapped", "saepicardialContour")
    assert re.search(r"workspace.cvi42wsx: on DICOM/\S+: LV epicardium: not larger than .*; redraw", fault_of())


def test_no_short_axis_series(exam, fault_of):
    for file in chain.from_iterable(exam.cine()):
        file.unlink()
    assert re.search(r"no short-axis cine: .*; export its series \(", fault_of())


def test_a_missing_slice_in_the_middle(exam, fault_of):
    lost = exam.contoured()[2]
    for file in next(times for times in exam.cine() if lost[0] in times):
        exam.forget(file)
        file.unlink()
    assert re.search(
        r"1 slice missing between slice indices 2 \(DICOM/\S+\) and 3 \(DICOM/\S+\): 16 mm apart, .*; export all",
        fault_of(),
    )


def test_a_missing_frame(exam, fault_of):
    times = exam.cine()[3]
    next(file for file in times if file not in chain.from_iterable(exam.contoured())).unlink()
    assert re.search(r"DICOM/\S+: slice index 3 has 7 frames, the others have 8; export the missing", fault_of())


def test_mixed_spacing(exam, fault_of):
    files = exam.contoured()[2]
    for file in next(times for times in exam.cine() if files[0] in times):
        exam.edit(file, PixelSpacing=[1.8, 1.8])
    assert re.search(r"DICOM/\S+: .*1\.8 x 1\.8 .*1\.5 x 1\.5 mm.*; keep", fault_of())


def test_a_truncated_file(exam, fault_of):
    file = exam.contoured()[2][0]
    file.write_bytes(file.read_bytes()[:-200])
    assert re.search(
        rf"{file.relative_to(exam.folder)}: .*(truncated|shorter|cut off|incomplete).*; export", fault_of()
    )


def test_a_header_that_is_cut_off(exam, fault_of):
    file = exam.contoured()[2][0]
    file.write_bytes(file.read_bytes()[:700])
    assert re.search(rf"{file.relative_to(exam.folder)}: the DICOM header is cut off.*; export", fault_of())


def test_a_dicom_without_pixel_data(exam, fault_of):
    file = exam.contoured()[2][0]
    exam.edit(file, PixelData=None)
    assert re.search(rf"{file.relative_to(exam.folder)}: a DICOM image without pixel data; export", fault_of())


def test_a_text_file_named_dcm(exam, fault_of):
    (exam.folder / "notes.dcm").write_text("see the report")
    assert re.search(r"notes\.dcm: named \.dcm, but no DICOM file; remove it", fault_of())


def test_an_unsupported_transfer_syntax(exam, fault_of):
    file = exam.contoured()[2][0]
    image = pydicom.dcmread(file)
    image.file_meta.TransferSyntaxUID = pydicom.uid.UID(MPEG2)
    image.PixelData = pydicom.encaps.encapsulate([b"\0\0\1\xb3" + bytes(60)])
    image["PixelData"].VR = "OB"
    image.save_as(file)
    assert re.search(rf"{file.relative_to(exam.folder)}: .*(MPEG|compress|transfer syntax).*; ", fault_of())


def test_an_encrypted_file(exam, fault_of):
    file = exam.contoured()[2][0]
    image = pydicom.dcmread(file)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(image, keyword)
    image.EncryptedAttributesSequence = [pydicom.Dataset()]
    image.save_as(file)
    assert re.search(rf"{file.relative_to(exam.folder)}: its attributes are encrypted; export", fault_of())


def test_a_workspace_that_is_no_xml(exam, fault_of):
    exam.workspace.write_bytes(b"PK\3\4 a zip")
    assert re.search(r"workspace\.cvi42wsx: not XML; export", fault_of())


def test_one_contoured_frame(exam, fault_of):
    for _, late in exam.contoured():
        exam.forget(late)
    assert re.search(
        r"workspace.cvi42wsx: ED and ES .* the contoured times are 1: .*; contour all slices at both", fault_of()
    )


def test_three_contoured_frames(exam, fault_of):
    slices, (early, _) = exam.cine(), exam.contoured()[2]
    times = next(times for times in slices if early in times)
    stray = next(file for file in times if file not in exam.contoured()[2])
    exam.rewrite(f'"{pydicom.dcmread(early).SOPInstanceUID}"', f'"{pydicom.dcmread(stray).SOPInstanceUID}"')
    assert re.search(
        r"workspace.cvi42wsx: ED and ES .* the contoured times are 3: .* in slice index \d only.*; delete the stray",
        fault_of(),
    )


def test_a_border_at_one_phase_only(exam, fault_of):
    text = exam.workspace.read_text()
    for early, _ in exam.contoured():
        uid = str(pydicom.dcmread(early).SOPInstanceUID)
        image = re.search(rf'"{uid}">.*?(?="1\.2\.|$)', text)[0]
        text = text.replace(image, image.replace("sarvendocardialContour", "other"))
    exam.workspace.write_text(text)
    assert re.search(r"RV endocardium: contours at time index \d, but none at \d; draw them at both", fault_of())


def test_an_empty_folder(exam, fault_of):
    shutil.rmtree(exam.folder / "DICOM")
    assert re.search(r"no MR image among its files .*; put", fault_of())


def test_a_fault_of_the_importer_itself_shows_its_place_and_no_text(exam, fault_of, monkeypatch):
    def fail(folder):
        raise KeyError("DOE^JANE")

    monkeypatch.setattr(study, "read_frames", fail)
    line = fault_of()
    assert "DOE" not in line
    assert re.search(r"unexpected KeyError at study\.py:\d+; report it", line)


def test_a_study_at_fault_does_not_end_the_others(clinic, tmp_path):
    shutil.copytree(clinic, tmp_path / "raw")
    for number in (GE, PHILIPS_ENHANCED):
        Exam(tmp_path / f"raw/P{number:04d}").workspace.unlink()
    with pytest.raises(InputError) as fault:
        convert_to(tmp_path / "out", {"format": "cvi42", "folder": str(tmp_path / "raw")})
    assert str(fault.value).startswith("2 faults found:")
    assert len(list((tmp_path / "out_finished").iterdir())) == 5


SUNNYBROOK = REAL_DATA / "SCD"


def sunnybrook_contours(files):
    """The real LV contours by image; where there are none, stand-ins for the epicardium at ES and the RV."""
    drawn = {}
    for kind, suffix in (("saendocardialContour", "endo"), ("saepicardialContour", "epi")):
        for path in sorted(SUNNYBROOK.glob(f"*-{suffix}/*.txt")):
            drawn.setdefault(files[int(path.name.split("-")[2])], {})[kind] = np.loadtxt(path)
    stand_ins = {}
    for image, contours in drawn.items():
        cavity = contours["saendocardialContour"]
        centre = cavity.mean(axis=0)
        stand_ins[image] = {"saepicardialContour": centre + 1.5 * (cavity - centre), **contours}
        stand_ins[image]["sarvendocardialContour"] = cavity - (60, 0)
    return drawn, stand_ins


def test_the_real_series_converts_with_its_contours(tmp_path):
    if not SUNNYBROOK.is_dir():
        pytest.skip(f"the real data are absent: no folder {SUNNYBROOK}")
    (series,) = (folder for folder in SUNNYBROOK.iterdir() if folder.is_dir() and "-" not in folder.name)
    shutil.copytree(series, tmp_path / "raw/P1")
    uids = {int(path.stem): uid_of(path) for path in (tmp_path / "raw/P1").iterdir()}
    drawn, contours = sunnybrook_contours(uids)
    write_workspace(tmp_path / "raw/P1/p1.cvi42wsx", contours, {})
    out = convert_to(tmp_path / "out", {"format": "cvi42", "folder": str(tmp_path / "raw")})

    assert cases(out)["stack"].str.startswith("12 slices x 20 frames of 1 of 1 series").all()
    times = {uid: (instance - 1) % 20 for instance, uid in uids.items()}
    errors = []
    for phase in PHASES:
        label = voxels(out, "labels", f"demo_P1_{phase}")
        assert label.shape[2] == 12
        frame = cases(out).loc[f"demo_P1_{phase}", "frame"]
        of_phase = [uid for uid in drawn if times[uid] == frame]
        found = {value: sorted((label == value).sum(axis=(0, 1))) for value in (LABELS["LVBP"], LABELS["LVM"])}
        cavity = sorted(Polygon(drawn[uid]["saendocardialContour"]).area for uid in of_phase)
        errors += (np.array([area for area in found[LABELS["LVBP"]] if area]) / cavity - 1).tolist()
        wall = sorted(
            Polygon(contours[uid]["saepicardialContour"]).area - Polygon(contours[uid]["saendocardialContour"]).area
            for uid in of_phase
        )
        errors += (np.array([area for area in found[LABELS["LVM"]] if area]) / wall - 1).tolist()
    assert len(errors) == 4 * 9
    assert np.abs(errors).mean() < 0.01
    assert np.abs(errors).max() < 0.02
