"""The short-axis cine among the images of a study, and what keeps it from being one."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from dicom_files import LONG_AXIS, NORMAL, SPACING_MM, enhanced, place, save, write_cine
from frames import MAGNITUDE, cine, clocks, frame, named
from places import REAL_DATA

from cmrslices.cohorts.convert.cvi42.cine import MIN_FRAMES, find_cine
from cmrslices.cohorts.convert.cvi42.headers import CLOCKS, read_frames
from cmrslices.runtime.errors import InputError

PHASE = ("ORIGINAL", "PRIMARY", "P", "ND")

TURNED = (-0.8, -0.6, 0.0, 0.0, 0.0, 1.0)
"""Orientation of a short-axis image that is turned by 180 degrees in its plane."""

TURNED = (-0.8, -0.6, 0.0, 0.0, 0.0, 1.0)
"""Orientation of a short-axis image that is turned by 180 degrees in its plane."""


def long_axis(series, times=20):
    return cine(series, [0], times, orientation=LONG_AXIS)


def late_enhancement(series="lge", positions=range(6), **attributes):
    attributes = {"spacing_mm": (1.4, 1.4), **attributes}
    return [frame(series, position, 0, **attributes) for position in positions]


def positions(stack):
    """Index of each slice along the normal, as it was placed."""
    return [round(float(np.dot(np.subtract(times[0].position_mm, place(0)), NORMAL)) / 8, 2) for times in stack.frames]


def series(stack):
    return [times[0].series for times in stack.frames]


def refused(frames, contoured, *words):
    with pytest.raises(InputError) as fault:
        find_cine(frames, contoured)
    message = str(fault.value)
    assert "\n" not in message and ";" in message
    for word in words:
        assert word in message
    return message


def shuffled(frames):
    return list(np.random.default_rng(0).permutation(np.array(frames, dtype=object)))


# Choice


def test_slices_are_ordered_along_the_normal_and_frames_in_time():
    stack = find_cine(shuffled(cine()), named(cine()))
    assert positions(stack) == [0, 1, 2, 3, 4, 5]
    for times in stack.frames:
        assert [each.clocks[0] for each in times] == [40.5 * time for time in range(20)]


def test_the_order_of_the_files_does_not_matter():
    mixed = cine() + long_axis("2ch") + cine("repeat", [2])
    first, second = find_cine(mixed, named(cine())), find_cine(shuffled(mixed), named(cine()))
    assert (first.frames, first.choice, first.notes) == (second.frames, second.choice, second.notes)
    np.testing.assert_array_equal(first.affine, second.affine)


def test_the_contours_pick_the_short_axis_among_all_else():
    sax = cine()
    others = [
        *long_axis("2ch"),
        *cine("4ch", [0], orientation=(0, 1, 0, 0, 0, -1)),
        *late_enhancement(),
        *late_enhancement("scout", [0, 3]),
        *late_enhancement("scout", [0, 3], orientation=LONG_AXIS),
        *cine("flow", [1], spacing_mm=(1.8, 1.8)),
        *cine("flow phase", [1], spacing_mm=(1.8, 1.8), image_type=PHASE),
        *cine("real time", times=60, spacing_mm=(2.5, 2.5)),
    ]
    stack = find_cine(shuffled(sax + others), named(sax))
    assert set(series(stack)) == {"sax"}
    assert stack.choice == "6 slices x 20 frames of 1 of 8 series, to which all 12 contoured images belong"
    assert stack.notes == ()


def test_a_stack_of_one_series_for_each_slice_is_put_together():
    sax = [each for position in range(6) for each in cine(f"sax {position}", [position])]
    stack = find_cine(sax + long_axis("2ch"), named(sax))
    assert series(stack) == [f"sax {position}" for position in range(6)]
    assert stack.choice.startswith("6 slices x 20 frames of 6 of 7 series")


def test_slices_without_contours_belong_to_the_stack_of_their_series():
    stack = find_cine(cine(positions=range(9)), named(cine(positions=range(2, 6))))
    assert positions(stack) == list(range(9))


def test_slices_without_contours_in_series_of_their_own_belong_to_the_stack():
    sax = [each for position in range(9) for each in cine(f"sax {position}", [position])]
    stack = find_cine(sax, named(cine("sax 3", [3]) + cine("sax 4", [4]) + cine("sax 5", [5])))
    assert positions(stack) == list(range(9))


@pytest.mark.parametrize(
    "other",
    [
        cine("real time", range(-2, 10), times=60),
        cine("stress", range(-2, 10)),
        late_enhancement("lge", range(-2, 10), spacing_mm=SPACING_MM),
        cine("scout", [-1.4, 2.6]),
        cine("sax", [-1], image_type=PHASE),
        cine("extra", [-1], times=30),
        cine("map", [-1], image_type=("DERIVED", "PRIMARY", "M", "ND")),
        cine("phase", [-1], image_type=PHASE),
        cine("coarse", [-1], spacing_mm=(2.0, 2.0)),
        cine("small", [-1], matrix=(4, 4)),
        cine("turned", [-1], orientation=(0.6, 0.8, 0.0, 0.0, 0.0, -1.0)),
    ],
    ids=["real time", "stress", "lge", "scout", "own phase", "extra", "map", "phase", "coarse", "small", "turned"],
)
def test_a_parallel_series_of_another_kind_is_not_merged(other):
    stack = find_cine(cine() + other, named(cine()))
    assert positions(stack) == list(range(6))
    assert set(series(stack)) == {"sax"}


def test_slices_far_apart_with_contours_find_those_between_them():
    sax = [each for position in range(6) for each in cine(f"sax {position}", [position])]
    stack = find_cine(sax, named(cine("sax 1", [1]) + cine("sax 4", [4])))
    assert positions(stack) == list(range(6))


def test_of_a_repeated_slice_the_contoured_acquisition_is_taken():
    sax = [each for position in range(6) for each in cine(f"sax {position}", [position])]
    stack = find_cine(sax + cine("repeat", [4], series_number=9), named(sax))
    assert "repeat" not in series(stack)
    assert stack.choice.endswith("; slice index 4 repeated: the contoured acquisition")


def test_of_a_stack_repeated_as_a_whole_the_contoured_one_is_taken():
    stack = find_cine(cine() + cine("repeat", series_number=9), named(cine(positions=[1, 2, 3])))
    assert set(series(stack)) == {"sax"}


def test_of_a_repeated_slice_without_contours_the_one_with_most_frames_is_taken():
    aborted = cine("sax", [0], times=9)
    sax = aborted + cine("sax", range(1, 6)) + cine("again", [0])
    stack = find_cine(sax, named(cine(positions=range(1, 6))))
    assert series(stack) == ["again", *["sax"] * 5]
    assert stack.choice.endswith("; slice index 0 repeated: the one with most frames")


def test_of_a_repeated_slice_without_contours_and_equal_frames_the_latest_is_taken():
    sax = cine() + cine("again", [0], series_number=8) + cine("a third time", [0], series_number=7)
    stack = find_cine(sax, named(cine(positions=range(1, 6))))
    assert series(stack)[0] == "again"
    assert stack.choice.endswith("; slice index 0 repeated: the latest")


def test_of_repeats_with_equal_numbers_the_last_file_is_taken():
    sax = cine(positions=range(1, 6)) + cine("a", [0]) + cine("c", [0]) + cine("b", [0])
    assert series(find_cine(sax, named(cine(positions=range(1, 6)))))[0] == "c"


@pytest.mark.parametrize(("times", "taken"), [(20, 2), (30, 1)], ids=["as many frames", "more frames"])
def test_of_repeats_within_one_series_the_latest_with_the_frames_of_the_others_is_taken(times, taken):
    again = [
        replace(each, file="again " + each.file, key=("again " + each.key[0], None), acquisition_number=2)
        for each in cine(positions=[0], times=times)
    ]
    stack = find_cine(again + cine(), named(cine(positions=range(1, 6))))
    assert stack.frames[0][0].acquisition_number == taken


def test_repeats_within_one_series_are_told_apart_by_their_acquisition_number():
    again = [
        replace(each, file="again " + each.file, key=("again " + each.key[0], None), acquisition_number=2)
        for each in cine(positions=[3])
    ]
    stack = find_cine(cine() + again, named(cine()) - named(cine(positions=[3])) | named(again))
    assert [times[0].acquisition_number for times in stack.frames] == [1, 1, 1, 2, 1, 1]


def test_two_stored_orders_of_a_volume_give_the_same_stack():
    stack = find_cine(cine(), named(cine()))
    turned = find_cine(cine()[::-1], named(cine()))
    assert [[each.key for each in times] for times in stack.frames] == [
        [each.key for each in times] for times in turned.frames
    ]


def test_contours_on_late_enhancement_are_set_aside_with_a_note():
    enhancement = late_enhancement()
    stack = find_cine(cine() + enhancement, named(cine()) | named(enhancement))
    assert set(series(stack)) == {"sax"}
    assert stack.notes == ("contours-on-6-other-images-set-aside",)
    assert "12 of 18 contoured images" in stack.choice


def test_contours_on_late_enhancement_of_the_same_geometry_are_set_aside():
    enhancement = late_enhancement(spacing_mm=SPACING_MM)
    stack = find_cine(cine() + enhancement, named(cine()) | named(enhancement))
    assert set(series(stack)) == {"sax"}
    assert stack.notes == ("contours-on-6-other-images-set-aside",)


def test_contours_on_late_enhancement_beside_a_cine_slice_without_contours_are_set_aside():
    enhancement = late_enhancement(spacing_mm=SPACING_MM)
    stack = find_cine(cine() + enhancement, named(cine(positions=range(4))) | named(enhancement))
    assert set(series(stack)) == {"sax"}
    assert len(stack.frames) == 6


def test_neither_choice_nor_notes_nor_faults_tell_a_uid():
    sax = cine("1.2.840.99")
    files = [replace(each, file=f"{number}.dcm") for number, each in enumerate(sax)]
    stack = find_cine(files, named(files))
    assert "1.2.840" not in stack.choice + "".join(stack.notes)
    assert "1.2.840" not in refused(files[1:], named(files[1:]))


# Time


@pytest.mark.parametrize("keyword", CLOCKS)
def test_frames_are_ordered_by_the_clock_that_there_is(keyword):
    sax = [replace(each, clocks=clocks(**{keyword: each.clocks[0]}), file=f"{-each.clocks[0]}") for each in cine()]
    contoured = {each.key for each in sax if each.key[0].endswith("-0")}
    for times in find_cine(shuffled(sax), contoured).frames:
        assert [each.key[0].split("-")[2] for each in times] == [str(time) for time in range(20)]


def test_a_trigger_time_that_is_equal_for_all_orders_nothing():
    sax = [replace(each, clocks=clocks(TriggerTime=0.0, InstanceNumber=-each.clocks[0])) for each in cine(times=10)]
    stack = find_cine(sax, {each.key for each in sax})
    assert [each.key[0] for each in stack.frames[0]] == [f"sax-0-{time}" for time in range(9, -1, -1)]


def test_a_clock_that_some_frames_lack_orders_nothing():
    sax = cine(times=10)
    sax[3] = replace(sax[3], clocks=clocks(InstanceNumber=4))
    stack = find_cine(sax, named(sax))
    assert [each.clocks[-1] for each in stack.frames[0]] == list(range(1, 11))


def test_several_images_of_one_time_are_a_fault():
    double = [replace(each, key=("x" + each.key[0], None), file="x" + each.file) for each in cine(positions=[2])]
    numbered = [
        replace(each, clocks=clocks(TriggerTime=each.clocks[0], InstanceNumber=50 + number))
        for number, each in enumerate(double)
    ]
    refused(cine() + numbered, named(cine()), "sax-2-0.dcm: slice index 2", "several images of one time")


def test_phase_images_of_the_same_series_do_not_count():
    phase = [replace(each, key=("p" + each.key[0], None), image_type=PHASE) for each in cine()]
    stack = find_cine(cine() + phase, named(cine()))
    assert {each.image_type for times in stack.frames for each in times} == {MAGNITUDE}


# Contours that do not fit


def test_contours_that_name_no_image_are_those_of_another_patient():
    refused(cine(), {("elsewhere", None)}, "the workspace: none of its 1 contoured images", "another patient")


def test_contours_of_which_some_name_no_image_are_a_fault_with_their_number():
    contoured = named(cine()) | {("gone 1", None), ("gone 2", None)}
    refused(cine(), contoured, "the workspace: 2 of its 14 contoured images")


def test_contours_in_a_study_without_short_axis_cine_say_what_there_is():
    # A flow stack with two images of each time.
    mixed = cine("4d flow") + [replace(each, key=("x" + each.key[0], None)) for each in cine("4d flow")]
    frames = [*long_axis("2ch"), *long_axis("3ch"), *late_enhancement(), *cine("flow", image_type=PHASE), *mixed]
    message = refused(frames, {("elsewhere", None)}, "the study: no short-axis cine")
    assert "cines of one or two slices 2, phase images 1, stills 2" in message
    assert "2ch" not in message


def test_contours_on_stills_alone_are_no_short_axis_cine():
    refused(late_enhancement() + cine(), named(late_enhancement()), "no short-axis cine", f"fewer than {MIN_FRAMES}")


def test_contours_on_a_long_axis_alone_are_no_short_axis_cine():
    refused(cine() + long_axis("2ch"), named(long_axis("2ch")), "no short-axis cine", "1 slice position")


def test_contours_on_a_long_axis_beside_the_short_axis_are_a_fault():
    frames = cine() + long_axis("2ch")
    refused(frames, named(frames), "2ch-0-0.dcm: ", "sax-", "turned by", "degrees")


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"spacing_mm": (1.5, 1.5)}, "1.5 x 1.5 against 1.5 x 1.25 mm"),
        ({"matrix": (8, 8)}, "8 x 8 against 6 x 8 pixels"),
    ],
    ids=["spacing", "matrix"],
)
def test_contours_on_two_geometries_are_a_fault(attributes, words):
    frames = cine(positions=range(5)) + cine("other", [5], **attributes)
    refused(frames, named(frames), "other-5-0.dcm: ", words)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"spacing_mm": (1.5, 1.5)}, "1.5 x 1.5 against 1.5 x 1.25 mm"),
        ({"matrix": (8, 8)}, "8 x 8 against 6 x 8 pixels"),
        ({"orientation": TURNED}, "turned by 180 degrees"),
    ],
    ids=["spacing", "matrix", "orientation"],
)
def test_a_slice_of_the_same_series_with_another_geometry_is_a_fault_even_without_contours(attributes, words):
    frames = cine(positions=range(5)) + cine(positions=[5], **attributes)
    refused(frames, named(cine(positions=range(5))), "sax-5-0.dcm: a slice of the series of sax-0-0.dcm", words)


@pytest.mark.parametrize("place", [2, 2.5, -1.4])
def test_a_slice_at_a_place_that_the_stack_has_or_skips_is_not_noted(place):
    stack = find_cine(cine() + cine("extra", [place], spacing_mm=(2.0, 2.0)), named(cine()))
    assert stack.notes == ()


def test_a_long_axis_in_the_same_series_is_no_fault():
    stack = find_cine(cine() + cine(positions=[9], orientation=LONG_AXIS), named(cine()))
    assert len(stack.frames) == 6


@pytest.mark.parametrize(
    "attributes",
    [
        {"times": 19},
        {"times": 10},
        {"spacing_mm": (1.5, 1.5)},
        {"matrix": (8, 8)},
        {"orientation": TURNED},
        {"image_type": PHASE},
    ],
    ids=str,
)
def test_a_slice_beside_the_stack_that_does_not_continue_it_is_noted(attributes):
    stack = find_cine(cine() + cine("extra", [-1], **attributes), named(cine()))
    assert len(stack.frames) == 6
    assert stack.notes == ("parallel-cine-slices-set-aside-1",)


def test_contours_on_two_acquisitions_of_a_slice_are_a_fault():
    frames = cine() + cine("again", [3])
    refused(frames, named(frames), "sax-3-0.dcm", "again-3-0.dcm", "two acquisitions")


# Slices and frames that lack


def test_a_missing_slice_in_the_middle_is_a_fault():
    frames = cine(positions=[0, 1, 2, 4, 5])
    refused(
        frames,
        named(frames),
        "1 slice missing between slice indices 2 (sax-2-0.dcm) and 3 (sax-4-0.dcm)",
        "16 mm",
        "8 mm",
    )


def test_a_missing_slice_of_few_is_a_fault():
    frames = cine(positions=[0, 1, 3])
    refused(frames, named(frames), "1 slice missing between slice indices 1")


def test_a_missing_slice_is_a_fault_where_distances_vary():
    frames = cine(positions=[0, 1, 2, 4.2, 5.2])
    refused(frames, named(frames), "1 slice missing between slice indices 2")


def test_two_missing_slices_are_counted():
    frames = cine(positions=[0, 1, 2, 5, 6])
    refused(frames, named(frames), "2 slices missing")


def test_a_missing_slice_beyond_the_contours_is_a_fault():
    frames = [each for position in (0, 2, 3, 4, 5) for each in cine(f"sax {position}", [position])]
    refused(frames, named(each for each in frames if each.series != "sax 0"), "1 slice missing between slice indices 0")


@pytest.mark.parametrize("times", [19, 21])
def test_a_slice_with_another_number_of_frames_is_a_fault(times):
    frames = cine(positions=[0, 1, 2, 4, 5]) + cine(positions=[3], times=times)
    refused(frames, named(frames), "sax-3-0.dcm: slice index 3", f"{times} frames", "20")


def test_a_slice_with_hardly_any_frames_is_a_fault():
    frames = [*cine(positions=[0, 1, 2, 4, 5]), frame("sax", 3, 0), frame("sax", 3, 8)]
    refused(frames, named(frames), "sax-3-0.dcm: slice index 3", "2 frames", "20")


def test_a_slice_of_its_own_series_with_hardly_any_frames_is_a_fault():
    frames = [each for position in (0, 1, 2, 4, 5) for each in cine(f"sax {position}", [position])]
    frames += [frame("sax 3", 3, 0), frame("sax 3", 3, 8)]
    refused(frames, named(frames), "sax 3-3-0.dcm: slice index 3", "2 frames", "20")


# From files


def test_a_written_cine_is_found(tmp_path):
    write_cine(tmp_path, slices=4, times=10)
    frames = read_frames(tmp_path).frames
    stack = find_cine(frames, named(frames, times=(0, 4)))
    assert positions(stack) == [0, 1, 2, 3]
    assert [each.clocks[0] for each in stack.frames[2]] == [40.5 * time for time in range(10)]


def test_an_enhanced_cine_is_found(tmp_path):
    save(enhanced(slices=3, times=8), tmp_path / "multi.dcm")
    frames = read_frames(tmp_path).frames
    stack = find_cine(shuffled(frames), [frames[0].key, frames[12].key])
    assert [[each.key[1] for each in times] for times in stack.frames] == np.arange(24).reshape(3, 8).tolist()


def test_the_real_series_has_12_slices_of_20_frames_in_order():
    folder = REAL_DATA / "SCD/SCD0000101"
    if not folder.is_dir():
        pytest.skip(f"the real data are absent: no folder {folder}")
    frames = read_frames(folder).frames
    contoured = [each.key for each in frames if each.file in ("48.dcm", "59.dcm", "88.dcm", "99.dcm")]
    stack = find_cine(frames, contoured)
    assert stack.choice == "12 slices x 20 frames of 1 of 1 series, to which all 4 contoured images belong"
    assert stack.notes == ()
    assert Counter(map(len, stack.frames)) == {20: 12}
    normal = np.cross(frames[0].orientation[:3], frames[0].orientation[3:])
    steps_mm = np.diff([normal @ times[0].position_mm for times in stack.frames])
    np.testing.assert_allclose(steps_mm, -10, atol=0.01)  # the normal points to the base
    for times in stack.frames:
        assert np.all(np.diff([each.clocks[0] for each in times]) > 0)
    np.testing.assert_allclose(np.linalg.norm(stack.affine[:3, :3], axis=0), [1.367188, 1.367188, 10], atol=0.001)
