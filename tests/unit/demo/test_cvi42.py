from dataclasses import replace

import numpy as np
import pydicom
import pytest

from cmrslices.cohorts.convert.cvi42.contours import fill
from cmrslices.cohorts.convert.cvi42.workspace import read_workspace
from cmrslices.demo.cohorts import CONTRACTIONS, make_demo_cohort
from cmrslices.demo.dicom import MAKERS
from cmrslices.demo.exam import CONTRACTION, cycle
from cmrslices.demo.layouts import short_axis_affine, write_cvi42
from cmrslices.demo.patients import Patient, make_patient
from cmrslices.demo.workspace import as_drawn, draw_contours
from cmrslices.labels import LABELS, PHASES

LV, MUSCLE, RV = LABELS.values()
SLICES = 5
SPACING_MM = (1.5, 1.5, 8.0)
NUMBERS = range(1, len(MAKERS) + 1)
SIEMENS, GE, ENHANCED, CANON, GE_BY_FRAME, PHILIPS = 1, 2, 3, 4, 6, 7
"""Numbers of patients from the scanners of these makers."""


def heart(radius):
    x, y = np.indices((44, 40))
    label = np.zeros((44, 40, SLICES), np.uint8)
    label[(x - 12) ** 2 + (y - 20) ** 2 <= 25] = RV
    label[(x - 26) ** 2 + (y - 20) ** 2 <= (radius + 3) ** 2] = MUSCLE
    label[(x - 26) ** 2 + (y - 20) ** 2 <= radius**2] = LV
    label[..., -1] = 0
    return label


def small_patient(number):
    rng = np.random.default_rng(number)
    labels = {"ED": heart(7), "ES": heart(5)}
    images = [rng.integers(0, 1500, labels["ED"].shape).astype(np.int16) for _ in PHASES]
    return Patient("NOR", "", SPACING_MM, {"ED": 0, "ES": 1}, images, labels)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """Folder of the patients, and they by number; a different maker's each."""
    folder = tmp_path_factory.mktemp("clinic")
    patients = {number: small_patient(number) for number in NUMBERS}
    write_cvi42(patients.values(), folder)
    return folder, patients


@pytest.fixture(scope="module")
def synthetic_slices():
    patients = (make_patient("nhs", "cvi42", index, seed=2022) for index in range(4))
    return [label[..., z] for patient in patients for label in patient.labels.values() for z in range(label.shape[2])]


def files_of(clinic, number):
    place = clinic[0] / f"P{number:04d}"
    return [pydicom.dcmread(path) for path in sorted(place.rglob("IM*"))]


def series_of(clinic, number, name):
    return [file for file in files_of(clinic, number) if file.SeriesDescription == f"DEMO {name}"]


def workspace_of(clinic, number):
    return read_workspace(clinic[0] / f"P{number:04d}/workspace.cvi42wsx").contours


def images_of(file):
    """Key, position and rescaled voxels (x, y) of each image of a file."""
    if "NumberOfFrames" not in file:
        yield (file.SOPInstanceUID, None), file.ImagePositionPatient, rescaled(file.pixel_array, file)
        return
    for index, group in enumerate(file.PerFrameFunctionalGroupsSequence):
        position = group.PlanePositionSequence[0].ImagePositionPatient
        voxels = rescaled(file.pixel_array[index], group.PixelValueTransformationSequence[0])
        yield (file.SOPInstanceUID, index), position, voxels


def rescaled(stored, values):
    return stored.T * float(values.get("RescaleSlope", 1)) + float(values.get("RescaleIntercept", 0))


def slice_from_base(position_lps_mm):
    """Index that a position has in the patient's arrays; a fault if it is not the first voxel of a slice."""
    position_ras_mm = [-position_lps_mm[0], -position_lps_mm[1], position_lps_mm[2], 1]
    voxel = np.linalg.solve(short_axis_affine(SPACING_MM), position_ras_mm)[:3]
    assert voxel == pytest.approx([0, 0, round(voxel[2])], abs=1e-6)
    return SLICES - 1 - round(voxel[2])


def dsc(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("number", NUMBERS)
def test_images_of_ed_and_es_lie_where_they_are_and_keep_every_voxel(clinic, number):
    patient = clinic[1][number]
    contours = workspace_of(clinic, number)
    found = []
    for file in series_of(clinic, number, "sax"):
        for key, position, voxels in images_of(file):
            if key in contours:
                z = slice_from_base(position)
                phase = next(
                    phase for phase in PHASES if np.array_equal(voxels, patient.images[patient.frames[phase]][..., z])
                )
                found.append((phase, z))
    assert sorted(found) == [(phase, z) for phase in PHASES for z in range(SLICES - 1)]


@pytest.mark.parametrize("number", NUMBERS)
def test_contours_filled_again_give_the_label_map_of_their_image(clinic, number):
    patient, contours = clinic[1][number], workspace_of(clinic, number)
    for file in series_of(clinic, number, "sax"):
        for key, position, voxels in images_of(file):
            if key in contours:
                phase = PHASES[int(np.array_equal(voxels, patient.images[1][..., slice_from_base(position)]))]
                label = patient.labels[phase][..., slice_from_base(position)]
                assert np.array_equal(fill(contours[key], (40, 44)), label)


def test_contours_of_synthetic_hearts_stand_for_the_label_maps_as_drawn(synthetic_slices):
    for label in synthetic_slices:
        assert np.array_equal(fill(draw_contours(label), label.shape[::-1]), as_drawn(label))


def test_label_maps_as_drawn_are_nearly_the_synthetic_ones(synthetic_slices):
    drawn = np.stack([as_drawn(label) for label in synthetic_slices])
    for value in LABELS.values():
        assert dsc(drawn == value, np.stack(synthetic_slices) == value) > 0.998


def test_islands_and_holes_cannot_be_drawn():
    label = heart(7)[..., 0]
    ragged = label.copy()
    ragged[40, 5] = MUSCLE
    ragged[26, 12] = 0
    assert np.array_equal(as_drawn(label), label)
    assert np.array_equal(as_drawn(ragged), label)


def test_a_gap_in_the_muscle_makes_the_contours_open():
    closed = heart(7)[..., 0]
    gap = closed.copy()
    gap[33:, 18:23] = 0
    assert set(draw_contours(closed)) == {"saendocardialContour", "saepicardialContour", "sarvendocardialContour"}
    assert set(draw_contours(gap)) == {
        "saendocardialOpenContour", "saepicardialOpenContour", "sarvendocardialContour",
    }  # fmt: skip


def test_the_workspace_has_contours_that_are_no_label_and_several_resolutions(clinic):
    text = (clinic[0] / "P0001/workspace.cvi42wsx").read_text()
    for name in ("sapapilMuscContour", "freeDrawRoiContour", "lalaContour"):
        assert name in text
        assert not any(name in contour for drawn in workspace_of(clinic, 1).values() for contour in drawn)
    for resolution in (2, 4, 8):
        assert f'"SubpixelResolution">{resolution}<' in text


def test_the_slices_are_stored_from_the_apex_and_from_the_base_in_turn(clinic):
    for number, first in ((GE, 0), (CANON, 0), (PHILIPS, SLICES - 1)):
        stack = sorted(series_of(clinic, number, "sax"), key=lambda file: file.InstanceNumber)
        assert slice_from_base(stack[0].ImagePositionPatient) == first


def test_siemens_makes_a_series_of_every_slice(clinic):
    stack = series_of(clinic, SIEMENS, "sax")
    series = {file.SeriesInstanceUID for file in stack}
    assert (len(series), len(stack)) == (SLICES, SLICES * len(CONTRACTION))
    assert all("TriggerTime" in file and "SliceLocation" in file for file in stack)


def test_ge_makes_one_series_without_slice_locations(clinic):
    for number in (GE, GE_BY_FRAME):
        stack = series_of(clinic, number, "sax")
        assert len({file.SeriesInstanceUID for file in stack}) == 1
        assert sorted(file.InstanceNumber for file in stack) == list(range(1, SLICES * len(CONTRACTION) + 1))
        assert not any("SliceLocation" in file for file in stack)


def test_instances_of_ge_run_over_frames_or_over_slices_first(clinic):
    first, second = {}, {}
    for number, times in ((GE, first), (GE_BY_FRAME, second)):
        times.update({file.InstanceNumber: file.TriggerTime for file in series_of(clinic, number, "sax")})
    assert first[1] < first[2]
    assert second[1] == second[SLICES] < second[SLICES + 1]


def test_philips_puts_the_stack_into_one_file_with_delays(clinic):
    (stack,) = series_of(clinic, ENHANCED, "sax")
    delays = [
        group.CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime
        for group in stack.PerFrameFunctionalGroupsSequence
    ]
    assert len(delays) == SLICES * len(CONTRACTION)
    assert len(set(delays)) == len(CONTRACTION)


def test_classic_philips_tells_the_time_by_its_private_phase_number(clinic):
    stack = series_of(clinic, PHILIPS, "sax")
    assert {file[0x2001, 0x1008].value for file in stack} == set(range(1, len(CONTRACTION) + 1))
    assert not any("TriggerTime" in file for file in stack)


def test_canon_compresses_and_tells_the_time_by_its_position(clinic):
    stack = series_of(clinic, CANON, "sax")
    assert {file.TemporalPositionIdentifier for file in stack} == set(range(1, len(CONTRACTION) + 1))
    assert all(file.file_meta.TransferSyntaxUID.is_compressed and "TriggerTime" not in file for file in stack)


def test_end_diastole_is_the_first_frame_or_the_last(clinic):
    assert {cycle(number).index(0.0) for number in NUMBERS} == {0, len(CONTRACTION) - 1}


def test_exams_hold_other_scans_and_some_repeat_a_part_of_the_stack(clinic):
    names = {number: {file.SeriesDescription[5:] for file in files_of(clinic, number)} for number in NUMBERS}
    for found in names.values():
        assert {"scout", "2ch", "4ch", "sax", "flow", "flow phase", "lge"} <= found
    assert {"sax repeated" in found for found in names.values()} == {True, False}
    assert {len(series_of(clinic, number, "sax repeated")) for number in (SIEMENS, GE)} == {
        len(CONTRACTION), 2 * len(CONTRACTION),
    }  # fmt: skip


def test_uids_are_of_one_image_each_in_all_the_cohort(clinic):
    uids = [file.SOPInstanceUID for number in NUMBERS for file in files_of(clinic, number)]
    assert len(set(uids)) == len(uids)


def test_another_heart_under_the_same_name_has_other_uids(tmp_path):
    patient = small_patient(1)
    brighter = replace(patient, images=[image + 1 for image in patient.images])
    uids = []
    for name, one in (("a", patient), ("b", brighter)):
        write_cvi42([one], tmp_path / name)
        uids.append({pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / name).rglob("IM*")})
    assert not uids[0] & uids[1]


def test_headers_name_nobody(clinic):
    for number in NUMBERS:
        for file in files_of(clinic, number):
            texts = [file.PatientName, file.PatientID, file.InstitutionName, file.ReferringPhysicianName]
            assert all(str(text).startswith("DEMO") for text in texts)


def test_file_names_tell_nothing(clinic):
    paths = [path.relative_to(clinic[0] / "P0001") for path in (clinic[0] / "P0001").rglob("IM*")]
    assert len({path.parent for path in paths}) > 1
    assert not any(path.suffix for path in paths)


def test_the_seed_fixes_every_byte(tmp_path):
    for name in ("one", "other"):
        make_demo_cohort(tmp_path / name, "nhs", "cvi42", patients=1, seed=4, threads=1)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) > 50
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_only_ed_and_es_are_simulated():
    assert sorted(CONTRACTIONS["cvi42"]) == [0.0, 1.0]
