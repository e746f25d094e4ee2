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
from pydicom.uid import SecondaryCaptureImageStorage
from raw_cohorts import convert_to
from shapely import Polygon
from workspaces import item, size

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


# What a workspace states, and all that a folder holds


@pytest.fixture
def findings_of(exam, tmp_path):
    """Convert the patient, and return what is noted."""

    def run():
        out = convert_to(tmp_path / "out", {"format": "cvi42", "folder": str(tmp_path / "raw")})
        (findings,) = set(cases(out)["repairs"])
        return findings.split(";") if findings else []

    return run


def series_of(exam, file):
    """All files of the series of a file."""
    uid = pydicom.dcmread(file).SeriesInstanceUID
    files = [path for path in exam.folder.rglob("IM*") if path.is_file()]
    return [path for path in files if pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID == uid]


def test_a_study_without_oddities_has_no_finding(findings_of):
    assert findings_of() == []


@pytest.mark.parametrize("values", [(48, 44), (44, 48)], ids=["width first", "height first"])
def test_sizes_that_agree_with_the_images_are_no_finding(exam, findings_of, values):
    exam.add("saendocardialContour", size("ImageSize", *values) + size("PixelSize", 1.51, 1.49))
    assert findings_of() == []


def test_another_image_size_in_the_workspace_is_a_fault_with_both_values(exam, fault_of):
    exam.add("saendocardialContour", size("ImageSize", 72, 66))
    assert re.search(
        r"workspace\.cvi42wsx: line \d+: on DICOM/\S+: the workspace says ImageSize 72 x 66, the DICOM image is "
        r"48 x 44 \(and so on 11 more images\); export images and workspace of the same study again",
        fault_of(),
    )


@pytest.mark.parametrize("key", ["PixelSize", "PixelSpacing"])
def test_another_pixel_size_in_the_workspace_is_a_fault_with_both_values(exam, fault_of, key):
    exam.add("saendocardialContour", size(key, 1.5, 1.52))
    assert f"the workspace says {key} 1.5 x 1.52, the DICOM image has 1.5 x 1.5 (in mm)" in fault_of()


def test_a_size_that_is_stated_at_another_contour_of_the_image_is_compared_too(exam, fault_of):
    exam.add("sapapilMuscContour[0001]", size("ImageSize", 96, 88))
    assert "the workspace says ImageSize 96 x 88, the DICOM image is 48 x 44" in fault_of()


def test_a_size_that_is_not_two_numbers_is_a_fault(exam, fault_of):
    exam.add("saendocardialContour", size("ImageSize", "wide", 88))
    assert "the workspace says ImageSize that is not two numbers, the DICOM image is 48 x 44" in fault_of()


def test_a_size_that_the_image_itself_states_is_compared(exam, fault_of):
    exam.rewrite('<Hash:item Hash:key="Contours">', size("ImageSize", 48, 45) + '<Hash:item Hash:key="Contours">', 1)
    assert "the workspace says ImageSize 48 x 45, the DICOM image is 48 x 44; export" in fault_of()


def test_the_size_of_an_image_of_another_view_is_not_compared(exam, findings_of):
    exam.add("lalaContour", size("ImageSize", 7, 7))
    assert findings_of() == []


def test_contours_that_are_not_understood_are_a_finding(exam, findings_of):
    exam.rewrite("sapapilMuscContour[0001]", "saXyz", 1)
    exam.rewrite("freeDrawRoiContour", "saXyz0001", 1)
    assert findings_of() == ["2 contours not understood: saXyz"]


def test_an_apical_slice_whose_contours_are_all_numbered_is_labelled(exam, converted, tmp_path):
    text = exam.workspace.read_text()
    for file in exam.contoured()[-1]:
        start = text.index(f'"{uid_of(file)}"')
        end = text.find('"1.2.', start + 10) if '"1.2.' in text[start + 10 :] else len(text)
        numbered = re.sub(r'"(sa\w*(?:en|ep)\w*Contour)"', r'"\g<1>0001"', text[start:end])
        assert numbered != text[start:end]
        text = text[:start] + numbered + text[end:]
    exam.workspace.write_text(text)
    out = convert_to(tmp_path / "out", {"format": "cvi42", "folder": str(tmp_path / "raw")})
    for phase in PHASES:
        label, plain = voxels(out, "labels", f"demo_P1_{phase}"), voxels(converted, "labels", f"demo_P0002_{phase}")
        np.testing.assert_array_equal(label, plain)


def test_an_end_slice_without_position_is_a_fault_with_the_number_of_files(exam, fault_of):
    for file in exam.cine()[-1]:
        exam.edit(file, ImagePositionPatient=None)
    assert re.search(
        r"DICOM/\S+: 8 files have no ImagePositionPatient, so slices of the short-axis cine may be missing; export",
        fault_of(),
    )


def test_an_end_slice_without_position_in_a_series_of_its_own_is_a_fault(exam, fault_of):
    for file in exam.cine()[-1]:
        exam.edit(file, ImagePositionPatient=None, SeriesInstanceUID="1.2.3.4.5")
    assert re.search(
        r"8 files have no ImagePositionPatient, so slices of the short-axis cine may be missing", fault_of()
    )


def test_an_end_slice_of_which_some_images_lack_a_position_is_a_fault(exam, fault_of):
    for number, file in enumerate(exam.cine()[-1]):
        exam.edit(file, SeriesInstanceUID="1.2.3.4.5", **({"ImagePositionPatient": None} if number > 2 else {}))
    assert re.search(
        r"5 files have no ImagePositionPatient, so slices of the short-axis cine may be missing", fault_of()
    )


def test_contoured_images_without_position_are_a_fault_that_says_so(exam, fault_of):
    for file in exam.contoured()[2]:
        exam.edit(file, ImagePositionPatient=None)
    assert re.search(r"2 files have no ImagePositionPatient, but contours lie on 2 of these images; export", fault_of())


def test_images_without_position_that_cannot_be_of_the_cine_are_a_finding(exam, findings_of):
    for file in exam.cine()[-1][:3]:
        image = pydicom.dcmread(file)
        del image.ImagePositionPatient
        image.SOPInstanceUID, image.SeriesInstanceUID = f"{image.SOPInstanceUID}.1", "1.2.3.4.5"
        image.save_as(exam.folder / f"{file.name}x")
    assert findings_of() == ["images-without-ImagePositionPatient-set-aside-3"]


def test_decimal_commas_in_all_files_are_a_fault_with_attribute_value_and_number(exam, fault_of):
    files = list((exam.folder / "DICOM").rglob("IM*"))
    for file in files:
        exam.store(file, PixelSpacing="1,5\\1,5", ImagePositionPatient="1,0\\2,0\\3,0")
    assert (
        f"{len(files)} files have ImagePositionPatient '1,0\\2,0\\3,0' (a decimal comma, not 3 numbers) and "
        "PixelSpacing '1,5\\1,5' (a decimal comma, not 2 numbers); export the original images again"
    ) in fault_of()


def test_decimal_commas_in_the_cine_alone_are_a_fault(exam, fault_of):
    for file in chain.from_iterable(exam.cine()):
        exam.store(file, PixelSpacing="1,5\\1,5")
    assert re.search(r"files have PixelSpacing '1,5\\1,5' \(a decimal comma, not 2 numbers\), but contours", fault_of())


def test_secondary_captures_alone_are_a_fault_that_says_what_to_export(exam, fault_of):
    files = list((exam.folder / "DICOM").rglob("IM*"))
    for file in files:
        image = pydicom.dcmread(file)
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        image.save_as(file)
    assert (
        f"the study: no MR image among its files; {len(files)} files are Secondary Capture, not MR images: "
        "export the original DICOM series"
    ) in fault_of()


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_value_for_rescaling_that_is_no_number_is_a_fault(exam, fault_of, keyword):
    for file in exam.cine()[3]:
        exam.store(file, **{keyword: "1,5"})
    assert re.search(rf"DICOM/\S+: 8 files have {keyword} '1,5' \(no number\); export", fault_of())


def test_files_that_hold_no_mr_image_are_findings_by_kind(exam, findings_of):
    (exam.folder / "report.pdf").write_text("no image")
    (exam.folder / "IM_LOST").touch()
    (exam.folder / "IM_LINK").symlink_to(exam.cine()[0][0])
    image = pydicom.dcmread(exam.cine()[0][0])
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.save_as(exam.folder / "capture")
    assert findings_of() == [
        "Secondary-Capture-files-set-aside-1",
        "empty-files-set-aside-1",
        "linked-files-set-aside-1",
        "not-DICOM-files-set-aside-1",
    ]


def test_a_cine_slice_beside_the_stack_with_other_frames_is_a_finding(exam, findings_of):
    for time, file in enumerate(exam.cine()[-1]):
        exam.edit(file, SeriesInstanceUID="1.2.3.4.5")
        image = pydicom.dcmread(file)
        image.SOPInstanceUID, image.TriggerTime = f"{image.SOPInstanceUID}.1", 1000.0 + time
        image.save_as(exam.folder / f"{file.name}x")
    assert findings_of() == ["parallel-cine-slices-set-aside-1"]


def test_the_same_file_twice_is_a_finding(exam, findings_of):
    shutil.copy(exam.cine()[0][0], exam.folder / "copy")
    assert findings_of() == ["duplicated-files-1"]


def test_a_file_with_the_same_pixels_and_another_name_of_the_patient_is_a_repeat(exam, findings_of):
    shutil.copy(exam.cine()[0][0], exam.folder / "copy")
    exam.edit(exam.folder / "copy", PatientName="Other")
    assert findings_of() == ["duplicated-files-1"]


def test_files_with_one_uid_and_other_pixels_are_a_fault_with_their_number(exam, fault_of):
    for number, file in enumerate(exam.cine()[0][:3]):
        image = pydicom.dcmread(file)
        image.PixelData = bytes(len(image.PixelData))
        image.save_as(exam.folder / f"ZZ{number}")
    assert re.search(
        r"DICOM/\S+: other pixels than ZZ\d, under the same UID \(3 files are so\); export the study again", fault_of()
    )


def prior_study(exam, uid):
    """A workspace with the study of the folder, and a copy of its list for a study that is not in the folder."""
    text = exam.workspace.read_text()
    own = pydicom.dcmread(exam.cine()[0][0]).StudyInstanceUID
    start, end = text.index("<List:item>"), text.rindex("</List:item>") + len("</List:item>")
    states = text[start:end]
    states = re.sub(r'"(1\.[0-9.]+)"', r'"\1.9"', states)
    both = zip((own, uid), (text[start:end], states), strict=True)
    lists = [studies.replace("<List:item>", "<List:item>" + item("StudyUid", study), 1) for study, studies in both]
    return text[:start] + "".join(lists) + text[end:]


def test_contours_of_a_previous_study_are_set_aside_with_a_finding(exam, findings_of):
    exam.workspace.write_text(prior_study(exam, "1.2.3.4.5"))
    assert findings_of() == ["contours-on-12-images-of-another-study-set-aside"]


def test_contours_of_the_same_study_whose_images_are_absent_are_a_fault(exam, fault_of):
    own = pydicom.dcmread(exam.cine()[0][0]).StudyInstanceUID
    exam.workspace.write_text(prior_study(exam, own))
    assert "12 of its 24 contoured images are not in the study; export these images too" in fault_of()


def test_a_changed_study_uid_does_not_hide_that_an_image_is_absent(exam, fault_of):
    lost = exam.contoured()[2][0]
    exam.workspace.write_text(prior_study(exam, "1.2.3.4.5"))
    for file in exam.folder.rglob("IM*"):
        exam.edit(file, StudyInstanceUID="1.2.3.9")
    lost.unlink()
    assert "1 of its 12 contoured images are not in the study; export these images too" in fault_of()


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
