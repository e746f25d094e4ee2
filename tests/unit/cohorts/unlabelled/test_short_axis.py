"""The short-axis cine of a study without contours: which stack it is, and what keeps it from being one."""

import numpy as np
import pytest
from dicom_files import LONG_AXIS
from frames import cine, clocks, frame

from cmrslices.cohorts.unlabelled.short_axis import find_short_axis
from cmrslices.runtime.errors import InputError

TRANSVERSE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PHASE = ("ORIGINAL", "PRIMARY", "P", "ND")


def transverse():
    return [
        frame("transverse", place, time, orientation=TRANSVERSE, position_mm=(10.0, -20.0, 8.0 * place))
        for place in range(6)
        for time in range(20)
    ]


def shuffled(frames):
    return list(np.random.default_rng(0).permutation(np.array(frames, dtype=object)))


def refused(frames):
    with pytest.raises(InputError) as fault:
        find_short_axis(frames)
    return str(fault.value)


def test_one_stack_of_cines_is_taken_base_first_and_in_the_order_of_time():
    found = find_short_axis(shuffled(cine(positions=range(7), times=20)))
    assert [times[0].file for times in found.frames] == [f"sax-{position}-0.dcm" for position in range(7)]
    assert [one.file for one in found.frames[2]] == [f"sax-2-{time}.dcm" for time in range(20)]
    assert found.choice == "7 slices x 20 frames of 1 of 1 series, the only stack of cines near the short axis"
    assert found.notes == ()


def test_long_axis_cines_stills_and_phase_images_are_no_rivals():
    others = [
        *cine("2ch", [0], orientation=LONG_AXIS),
        *cine("flow", range(6), image_type=PHASE),
        *[frame("lge", position, 0, spacing_mm=(1.4, 1.4)) for position in range(6)],
    ]
    found = find_short_axis(shuffled([*cine(), *others]))
    assert {one.series for times in found.frames for one in times} == {"sax"}
    assert "of 1 of 4 series" in found.choice


def test_slices_may_lie_in_a_series_each():
    frames = [one for position in range(5) for one in cine(f"slice {position}", [position])]
    found = find_short_axis(shuffled(frames))
    assert [times[0].series for times in found.frames] == [f"slice {position}" for position in range(5)]


def test_a_transverse_stack_is_not_taken_for_the_short_axis():
    found = find_short_axis(shuffled([*cine(), *transverse()]))
    assert {one.series for times in found.frames for one in times} == {"sax"}
    message = refused(transverse())
    assert "no short-axis cine; the other stacks of cines are: 6 slices x 20 frames" in message
    assert "55 degrees off" in message


def test_two_short_axis_stacks_are_ambiguous_and_both_are_described():
    other = cine("other", times=30, spacing_mm=(1.1, 1.1))
    message = refused([*cine(), *other])
    assert "2 stacks of cines may be the short axis" in message
    assert "sax-0-0.dcm" in message and "other-0-0.dcm" in message
    assert "6 slices x 30 frames" in message


def test_a_whole_stack_that_was_recorded_twice_is_ambiguous():
    message = refused([*cine(), *cine("again", series_number=2)])
    assert "2 stacks of cines may be the short axis" in message


def test_of_a_slice_that_was_recorded_again_the_latest_is_taken():
    found = find_short_axis(shuffled([*cine(), *cine("again", [2], series_number=2)]))
    assert [times[0].series for times in found.frames] == ["sax", "sax", "again", "sax", "sax", "sax"]
    assert "slice index 2 repeated: the latest" in found.choice


def test_a_missing_slice_is_a_fault():
    assert "1 slice missing between slice indices 1" in refused(cine(positions=[0, 1, 3, 4, 5]))


def test_a_slice_that_lacks_frames_is_a_fault():
    short = [one for one in cine() if one.file not in {"sax-3-7.dcm", "sax-3-8.dcm"}]
    assert "has 18 frames, the others have 20" in refused(short)


def test_images_that_no_clock_tells_apart_are_a_fault():
    frames = [one for one in cine() if not one.file.startswith("sax-4-")]
    same = [frame("sax", 4, time, clocks=clocks(TriggerTime=0.0)) for time in range(20)]
    assert "several images of one time" in refused([*frames, *same])


def test_a_study_of_stills_says_what_was_found():
    message = refused([frame("lge", position, 0) for position in range(6)])
    assert "among 6 images of 1 series, no 3 parallel slices have 8 or more frames each" in message


def test_slices_of_another_heart_rate_are_noted():
    slow = [frame("sax", 5, time, clocks=clocks(TriggerTime=60.0 * time)) for time in range(20)]
    found = find_short_axis([*cine(positions=range(5)), *slow])
    assert found.notes == ("cycle-spans-770-to-1140-ms",)
