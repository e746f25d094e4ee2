"""Which files of a study are images, and what their headers say."""

import logging
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from dicom_files import (
    LONG_AXIS,
    MATRIX,
    SHORT_AXIS,
    SPACING_MM,
    enhanced,
    image,
    place,
    save,
    set_text,
    uid,
    write_cine,
)
from places import REAL_DATA
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from cmrslices.cohorts.convert.cvi42.headers import CLOCKS, Scanner, read_frames
from cmrslices.runtime.errors import InputError


def read(folder):
    return read_frames(folder)[0]


def read_one(dataset, folder):
    save(dataset, folder / "image.dcm")
    (frame,) = read(folder)
    return frame


def clock(frame, keyword):
    return frame.clocks[CLOCKS.index(keyword)]


def refused(folder, file, *words):
    with pytest.raises(InputError) as fault:
        read_frames(folder)
    message = str(fault.value)
    assert message.startswith(f"{file}: ") and ";" in message and "\n" not in message
    for word in words:
        assert word in message
    return message


def test_an_image_is_known_by_its_content_in_any_folder_under_any_name(tmp_path):
    save(image("a"), tmp_path / "IM_0001")
    save(image("b"), tmp_path / "DICOM/deep/er/b.ima")
    assert [frame.file for frame in read(tmp_path)] == ["IM_0001", "DICOM/deep/er/b.ima"]


def test_a_frame_has_the_geometry_of_its_header(tmp_path):
    frame = read_one(image("a", ImagePositionPatient=place(1)), tmp_path)
    assert frame.position_mm == tuple(place(1))
    assert frame.orientation == SHORT_AXIS
    assert frame.spacing_mm == SPACING_MM
    assert frame.matrix == MATRIX
    assert frame.key == (uid("a"), None)
    assert frame.series == uid("series")
    assert frame.rescale == (1, 0)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_uncommon_encodings_of_a_header_say_the_same(tmp_path, syntax):
    plain = read_one(image("a", NominalCardiacTriggerDelayTime=33.5), tmp_path)
    other = image("a", NominalCardiacTriggerDelayTime=33.5)
    other.file_meta.TransferSyntaxUID = syntax
    assert read_one(other, tmp_path) == plain


def test_a_file_without_preamble_is_read(tmp_path):
    plain = read_one(image("a"), tmp_path)
    bare = image("a")
    del bare.file_meta
    bare.save_as(tmp_path / "image.dcm", implicit_vr=True, little_endian=True)
    assert read(tmp_path) == [plain]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("TriggerTime", 40.5),
        ("NominalCardiacTriggerDelayTime", 33.25),
        ("TemporalPositionIdentifier", 3),
        ("AcquisitionTime", 83920.5),
        ("InstanceNumber", 7),
    ],
)
def test_a_clock_of_the_header_is_read(tmp_path, keyword, value):
    stored = "083920.5" if keyword == "AcquisitionTime" else value
    assert clock(read_one(image("a", **{keyword: stored}), tmp_path), keyword) == value


def test_a_clock_that_the_header_lacks_is_none(tmp_path):
    assert read_one(image("a"), tmp_path).clocks == (None,) * len(CLOCKS)


@pytest.mark.parametrize("broken", [b"", b"n/a ", b"nan "])
def test_a_clock_that_is_no_number_is_none(tmp_path, broken):
    dataset = image("a", TriggerTime=12.5)
    content = save(dataset, tmp_path / "image.dcm").read_bytes()
    (tmp_path / "image.dcm").write_bytes(content.replace(b"12.5", broken.ljust(4)))
    (frame,) = read(tmp_path)
    assert clock(frame, "TriggerTime") is None


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, None])
def test_the_private_phase_number_of_philips_is_a_clock(tmp_path, syntax):
    dataset = image("a")
    dataset.add_new(0x20010010, "LO", "Philips Imaging DD 001")
    dataset.add_new(0x20011008, "IS", "5")
    if syntax:
        dataset.file_meta.TransferSyntaxUID = syntax
    assert clock(read_one(dataset, tmp_path), "PhaseNumber") == 5


@pytest.mark.parametrize("kind", [["ORIGINAL", "PRIMARY", "P", "ND"], ["ORIGINAL", "PRIMARY", "VELOCITY MAP", "P"]])
def test_a_phase_image_is_no_magnitude(tmp_path, kind):
    assert not read_one(image("a", ImageType=kind), tmp_path).is_magnitude


def test_an_ordinary_image_is_a_magnitude(tmp_path):
    assert read_one(image("a"), tmp_path).is_magnitude


def test_an_enhanced_file_gives_a_frame_per_slice_and_time(tmp_path):
    save(enhanced(slices=3, times=8), tmp_path / "multi.dcm")
    frames = read(tmp_path)
    assert [frame.key for frame in frames] == [(uid("enhanced"), index) for index in range(24)]
    assert [frame.position_mm for frame in frames] == [tuple(place(index // 8)) for index in range(24)]
    assert {(frame.orientation, frame.spacing_mm, frame.matrix) for frame in frames} == {
        (SHORT_AXIS, SPACING_MM, MATRIX)
    }
    assert [frame.rescale for frame in frames] == [(index + 1, 0) for index in range(24)]
    assert all(frame.is_magnitude for frame in frames)


def test_an_enhanced_frame_has_the_clocks_of_its_functional_groups(tmp_path):
    dataset = enhanced()
    for index, own in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        own.FrameContentSequence[0].FrameAcquisitionDateTime = f"20200102{100000 + index}.250"
    save(dataset, tmp_path / "multi.dcm")
    frame = read(tmp_path)[5]
    assert clock(frame, "NominalCardiacTriggerDelayTime") == 5 * 40.5
    assert clock(frame, "TemporalPositionIdentifier") == 6
    assert clock(frame, "AcquisitionTime") == 100005.25
    assert clock(frame, "InstanceNumber") == 5


def test_an_enhanced_frame_without_a_place_is_passed_over_and_the_others_keep_their_index(tmp_path):
    dataset = enhanced()
    del dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    save(dataset, tmp_path / "multi.dcm")
    assert [frame.key[1] for frame in read(tmp_path)] == list(range(1, 24))


@pytest.mark.parametrize("name", ["notes.txt", "study.cvi42wsx", ".hidden.dcm", "report.pdf", "DICOMDIR", "empty"])
def test_a_file_that_is_no_image_is_passed_over(tmp_path, name):
    save(image("a"), tmp_path / "a.dcm")
    (tmp_path / name).write_text("" if name == "empty" else "no image")
    assert len(read(tmp_path)) == 1


def test_a_hidden_folder_is_passed_over(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    save(image("b"), tmp_path / ".cache/b.dcm")
    assert len(read(tmp_path)) == 1


def test_a_dicom_directory_is_passed_over(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    save(image("directory", SOPClassUID="1.2.840.10008.1.3.10", PixelData=None), tmp_path / "DICOMDIR")
    assert len(read(tmp_path)) == 1


@pytest.mark.parametrize(
    "storage",
    [SecondaryCaptureImageStorage, "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.104.1"],
    ids=["secondary capture", "structured report", "PDF"],
)
def test_a_dicom_object_that_is_no_mr_image_is_passed_over(tmp_path, storage):
    save(image("a"), tmp_path / "a.dcm")
    save(image("b", SOPClassUID=storage, PixelData=None, Rows=None), tmp_path / "b.dcm")
    assert len(read(tmp_path)) == 1


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_an_mr_image_without_a_place_in_space_is_passed_over(tmp_path, keyword):
    save(image("a"), tmp_path / "a.dcm")
    save(image("b", **{keyword: None}), tmp_path / "b.dcm")
    assert [frame.file for frame in read(tmp_path)] == ["a.dcm"]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelSpacing", [0, 0]),
        ("PixelSpacing", [1.5]),
        ("ImageOrientationPatient", [0] * 6),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
    ],
)
def test_an_mr_image_whose_place_makes_no_sense_is_passed_over(tmp_path, keyword, value):
    save(image("a"), tmp_path / "a.dcm")
    save(image("b", **{keyword: value}), tmp_path / "b.dcm")
    assert [frame.file for frame in read(tmp_path)] == ["a.dcm"]


@pytest.mark.parametrize(
    ("keyword", "stored", "problem"),
    [
        ("ImagePositionPatient", None, "no ImagePositionPatient"),
        ("Rows", None, "no Rows"),
        ("SOPInstanceUID", None, "no SOPInstanceUID"),
        ("PixelSpacing", "1.5", "PixelSpacing '1.5' (not 2 numbers)"),
        ("PixelSpacing", "0\\0", "PixelSpacing '0\\0' (not positive)"),
        ("PixelSpacing", "1,5\\1,5", "PixelSpacing '1,5\\1,5' (a decimal comma, not 2 numbers)"),
        ("PixelSpacing", "1_5\\1_5", "PixelSpacing of other characters than numbers (not 2 numbers)"),
        ("PixelSpacing", "Doe^Jane", "PixelSpacing of other characters than numbers (not 2 numbers)"),
        (
            "ImageOrientationPatient",
            "1\\0\\0\\1\\0\\0",
            "ImageOrientationPatient '1\\0\\0\\1\\0\\0' (not two directions at a right angle)",
        ),
    ],
)
def test_it_is_said_why_an_mr_image_has_no_place_in_space(tmp_path, keyword, stored, problem):
    save(image("a"), tmp_path / "a.dcm")
    dataset = image("b", **{keyword: None})
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    if stored is not None:
        set_text(dataset, keyword, stored)
    dataset.save_as(tmp_path / "b.dcm")
    (unplaced,) = read_frames(tmp_path).unplaced
    assert unplaced.problems == {keyword: problem}


def test_the_number_of_files_without_a_place_in_space_is_said(tmp_path):
    for name in ("a", "b", "c"):
        save(image(name, ImagePositionPatient=None), tmp_path / f"{name}.dcm")
    save(image("d", PixelSpacing=None), tmp_path / "d.dcm")
    refused(
        tmp_path,
        "the study",
        "none of its MR images has a place in space: a.dcm: 3 files have no ImagePositionPatient, "
        "and 1 other has similar faults; export",
    )


def test_enhanced_frames_without_a_place_are_listed(tmp_path):
    dataset = enhanced()
    set_text(dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0], "ImagePositionPatient", "1,5\\2\\3")
    save(dataset, tmp_path / "multi.dcm")
    (unplaced,) = read_frames(tmp_path).unplaced
    assert unplaced.key == (uid("enhanced"), 1)
    assert unplaced.problems == {
        "ImagePositionPatient": "ImagePositionPatient '1,5\\2\\3' (a decimal comma, not 3 numbers)"
    }


def test_an_enhanced_file_without_a_description_of_its_frames_is_listed(tmp_path):
    dataset = enhanced()
    del dataset.PerFrameFunctionalGroupsSequence
    save(dataset, tmp_path / "multi.dcm")
    refused(tmp_path, "the study", "multi.dcm: 1 file has no PerFrameFunctionalGroupsSequence; export")


def test_an_enhanced_file_that_describes_fewer_frames_than_it_has_is_a_fault(tmp_path):
    dataset = enhanced()
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    save(dataset, tmp_path / "multi.dcm")
    refused(tmp_path, "multi.dcm", "NumberOfFrames is 24, but the header describes 23 frames; export it again")


def test_an_image_whose_storage_class_stands_in_the_file_header_alone_is_read(tmp_path):
    dataset = image("a")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    del dataset.SOPClassUID
    dataset.save_as(tmp_path / "a.dcm")
    assert len(read(tmp_path)) == 1


def test_a_value_for_rescaling_that_is_no_number_is_a_fault(tmp_path):
    save(set_text(image("a"), "RescaleSlope", "1,5"), tmp_path / "a.dcm")
    save(set_text(image("b"), "RescaleSlope", "nan"), tmp_path / "b.dcm")
    refused(tmp_path, "a.dcm", "2 files have RescaleSlope '1,5' (no number); export the original images again")


def test_a_value_for_rescaling_of_an_enhanced_frame_that_is_no_number_is_a_fault(tmp_path):
    dataset = enhanced()
    transformation = dataset.PerFrameFunctionalGroupsSequence[3].PixelValueTransformationSequence[0]
    set_text(transformation, "RescaleIntercept", "-1,5")
    save(dataset, tmp_path / "multi.dcm")
    refused(tmp_path, "multi.dcm", "1 file has RescaleIntercept '-1,5' (no number)")


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_value_for_rescaling_changes_nothing(tmp_path, empty):
    assert read_one(set_text(image("a"), "RescaleSlope", empty), tmp_path).rescale == (1, 0)


@pytest.mark.parametrize("keyword", ["TriggerTime", "SeriesNumber", "AcquisitionNumber", "InstanceNumber"])
def test_another_value_that_is_no_number_is_noted(tmp_path, keyword):
    save(image("a"), tmp_path / "a.dcm")
    save(set_text(image("b"), keyword, "x1"), tmp_path / "b.dcm")
    assert read_frames(tmp_path).notes == (f"unreadable-{keyword}-in-1-files",)


def test_files_that_hold_no_mr_image_are_counted_by_kind(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "lost").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a.dcm")
    (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
    storages = [
        SecondaryCaptureImageStorage,
        "1.2.840.10008.5.1.4.1.1.88.11",
        "1.2.840.10008.5.1.4.1.1.104.1",
        "1.3.46",
    ]
    for number, storage in enumerate(storages):
        save(image(f"other {number}", SOPClassUID=storage, Rows=None), tmp_path / f"{number}.dcm")
    assert read_frames(tmp_path).notes == (
        "Basic-Text-SR-files-set-aside-1",
        "Encapsulated-PDF-files-set-aside-1",
        "Secondary-Capture-files-set-aside-1",
        "empty-files-set-aside-1",
        "linked-files-set-aside-2",
        "not-DICOM-files-set-aside-1",
        "other-DICOM-files-set-aside-1",
    )


def test_workspace_index_and_hidden_debris_are_not_counted(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    save(image("directory", SOPClassUID="1.2.840.10008.1.3.10", PixelData=None), tmp_path / "DICOMDIR")
    (tmp_path / "study.cvi42wsx").write_text("contours")
    (tmp_path / ".DS_Store").write_text("debris")
    assert read_frames(tmp_path).notes == ()


def test_hidden_dicom_files_are_counted(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    save(image("b"), tmp_path / ".b.dcm")
    assert read_frames(tmp_path).notes == ("hidden-DICOM-files-set-aside-1",)


def test_a_study_of_other_dicom_objects_alone_says_which(tmp_path):
    for name in ("a", "b"):
        save(image(name, SOPClassUID=SecondaryCaptureImageStorage), tmp_path / name)
    save(image("c", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"), tmp_path / "c")
    refused(
        tmp_path,
        "the study",
        "2 files are Secondary Capture, 1 file is Basic Text SR, not MR images: export the original DICOM series",
    )


def test_a_binary_file_that_only_begins_like_dicom_is_passed_over(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    (tmp_path / "binary").write_bytes(b"\x08\x00\xff\xff" * 50)
    assert len(read(tmp_path)) == 1


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    save(image("a"), tmp_path / "patient/a.dcm")
    save(image("b"), tmp_path / "elsewhere/b.dcm")
    (tmp_path / "patient/b.dcm").symlink_to(tmp_path / "elsewhere/b.dcm")
    (tmp_path / "patient/folder").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert len(read(tmp_path / "patient")) == 1


def test_a_patients_folder_may_be_a_link(tmp_path):
    save(image("a"), tmp_path / "elsewhere/a.dcm")
    (tmp_path / "patient").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [frame.file for frame in read(tmp_path / "patient")] == ["a.dcm"]


def test_a_study_without_images_is_a_fault(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    refused(tmp_path, "the study", "no MR image")


def test_a_folder_that_cannot_be_read_is_a_fault(tmp_path):
    refused(tmp_path / "gone", "the study", "cannot be read")


def test_a_text_file_named_dcm_is_a_fault(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/notes.DCM").write_text("not DICOM")
    refused(tmp_path, "sub/notes.DCM", "no DICOM file")


def test_a_header_cut_off_anywhere_is_a_fault(tmp_path):
    content = save(image("a"), tmp_path / "a.dcm").read_bytes()
    pixels = content.index(b"\xe0\x7f\x10\x00")
    for end in range(133, pixels):
        (tmp_path / "a.dcm").write_bytes(content[:end])
        message = refused(tmp_path, "a.dcm")
        assert re.search("cut off|without pixel data", message), end


@pytest.mark.parametrize("tag", [b"\x20\x00\x32\x00", b"\x28\x00\x03\x01"], ids=["position", "representation"])
@pytest.mark.parametrize("more", [0, 3, 9])
def test_a_header_that_ends_in_or_before_what_images_have_is_said_to_be_cut_off(tmp_path, tag, more):
    content = save(image("a"), tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[: content.index(tag) + more])
    refused(tmp_path, "a.dcm", "header is cut off")


def test_a_header_that_ends_within_an_attribute_of_no_interest_is_said_to_be_cut_off(tmp_path):
    path = save(image("a", RequestedProcedureDescription="x" * 60, PixelData=None), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-20])
    refused(tmp_path, "a.dcm", "header is cut off")


def test_a_cut_off_enhanced_header_is_a_fault(tmp_path):
    content = save(enhanced(), tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[:2000])
    refused(tmp_path, "a.dcm", "cut off")


def test_an_image_without_pixel_data_is_a_fault(tmp_path):
    save(image("a", PixelData=None), tmp_path / "a.dcm")
    refused(tmp_path, "a.dcm", "without pixel data")


def test_an_encrypted_image_is_a_fault(tmp_path):
    dataset = image("a", ImagePositionPatient=None, ImageOrientationPatient=None)
    dataset.EncryptedAttributesSequence = [Dataset()]
    save(dataset, tmp_path / "a.dcm")
    refused(tmp_path, "a.dcm", "encrypted")


def test_an_image_that_keeps_its_geometry_beside_encrypted_attributes_is_read(tmp_path):
    dataset = image("a")
    dataset.EncryptedAttributesSequence = [Dataset()]
    assert read_one(dataset, tmp_path).matrix == MATRIX


def test_a_file_stored_twice_counts_once_with_a_note(tmp_path):
    write_cine(tmp_path / "one", slices=1, times=3)
    write_cine(tmp_path / "two", slices=1, times=3)
    frames, _, notes, *_ = read_frames(tmp_path)
    assert len(frames) == 3
    assert {Path(frame.file).parent.name for frame in frames} == {"one"}
    assert notes == ("duplicated-files-3",)


def test_a_study_without_duplicates_has_no_note(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    assert read_frames(tmp_path)[2] == ()


def test_two_images_of_one_uid_are_a_fault(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    save(image("a", ImageOrientationPatient=list(LONG_AXIS)), tmp_path / "b.dcm")
    save(image("a", ImageOrientationPatient=list(LONG_AXIS)), tmp_path / "c.dcm")
    refused(tmp_path, "b.dcm", "a.dcm", "UID", "(2 files are so)")


@pytest.mark.parametrize(
    ("stored", "vendor"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("Philips Medical Systems", "Philips"),
        ("Philips", "Philips"),
        ("TOSHIBA", "Canon"),
        ("CANON_MEC", "Canon"),
        ("GE", "GE"),
        ("General Imaging", "other"),
        ("", "other"),
        (None, "other"),
    ],
)
def test_the_maker_is_one_of_five(tmp_path, stored, vendor):
    save(image("a", Manufacturer=stored), tmp_path / "a.dcm")
    assert read_frames(tmp_path)[1].vendor == vendor


@pytest.mark.parametrize(
    ("stored", "tesla"), [(1.5, 1.5), (15000, 1.5), (30000, 3.0), (2.89362, 2.89), (None, None), (0, None), (700, None)]
)
def test_the_field_strength_is_in_tesla(tmp_path, stored, tesla):
    save(image("a", MagneticFieldStrength=stored), tmp_path / "a.dcm")
    assert read_frames(tmp_path)[1].field_strength_t == tesla


def test_the_model_is_short_and_clean(tmp_path):
    save(image("a", ManufacturerModelName='Aera;"=1+1",' + "x" * 50), tmp_path / "a.dcm")
    assert read_frames(tmp_path)[1].model == "Aera 1 1 " + "x" * 23


def test_the_scanner_is_that_of_most_images(tmp_path):
    save(image("a", Manufacturer="Workstation"), tmp_path / "a.dcm")
    write_cine(tmp_path, slices=1, times=2)
    assert read_frames(tmp_path)[1] == Scanner("Siemens", "", None)


def test_nothing_of_the_header_is_warned_of_or_logged(tmp_path, caplog):
    path = save(image("a", SpecificCharacterSet="ISO_IR 100"), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"ISO_SECRET"))
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        read_frames(tmp_path)
    assert not caught
    assert not caplog.records


def test_real_headers_are_read(tmp_path):
    folder = REAL_DATA / "SCD/SCD0000101"
    if not folder.is_dir():
        pytest.skip(f"the real data are absent: no folder {folder}")
    frames, scanner, notes, *_ = read_frames(folder)
    assert len(frames) == 240
    assert len({frame.position_mm for frame in frames}) == 12
    assert {frame.matrix for frame in frames} == {(256, 256)}
    assert scanner == Scanner("GE", "SIGNA HDx", 1.5)
    assert notes == ()
    assert all(math.isclose(np.linalg.norm(frame.orientation[:3]), 1, abs_tol=1e-3) for frame in frames)
