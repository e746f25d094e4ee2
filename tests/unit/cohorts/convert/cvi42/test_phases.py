"""ED and ES from the contoured times, and notes on odd contours."""

import re

import numpy as np
import pytest

from cmrslices.cohorts.convert.cvi42.phases import find_oddities, find_phases
from cmrslices.runtime.errors import InputError

ENDO, EPI, RV = "saendocardialContour", "saepicardialContour", "sarvendocardialContour"
OPEN_ENDO, OPEN_EPI = "saendocardialOpenContour", "saepicardialOpenContour"
TIMES, SLICES = 25, 10
ED, ES = 1, 9
PHASES = {"ED": ED, "ES": ES}
SPACING_MM = (1.25, 1.5)


def circle(radius_px: float, centre_px=(100, 90)) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius_px + centre_px


def image(radius_px: float, centre_px=(100, 90)) -> dict[str, np.ndarray]:
    beside = np.add(centre_px, (-30, 0))
    return {ENDO: circle(radius_px, centre_px), EPI: circle(radius_px + 8, centre_px), RV: circle(radius_px, beside)}


def heart(ed: int = ED, es: int = ES, tilt_px=(1.0, -0.5), shifts_px=None) -> list[list[dict]]:
    """[slice][time] of a heart with a straight axis; slices moved in plane by `shifts_px`."""
    contours = [[{} for _ in range(TIMES)] for _ in range(SLICES)]
    for index in range(SLICES):
        centre = np.add((100, 90), np.multiply(index, tilt_px)) + (shifts_px or {}).get(index, 0)
        contours[index][ed] = image(20 - index, centre)
        contours[index][es] = image(14 - index, centre)
    return contours


def without(contours, name: str, slices=range(SLICES), times=(ED, ES)) -> list[list[dict]]:
    for index in slices:
        for time in times:
            contours[index][time].pop(name)
    return contours


def notes(contours) -> tuple[str, ...]:
    return find_oddities(contours, PHASES, SPACING_MM)


# ---- ED and ES


@pytest.mark.parametrize(("ed", "es"), [(0, 9), (9, 0), (24, 10)])
def test_ed_is_the_contoured_time_with_the_larger_cavity(ed, es):
    assert find_phases(heart(ed, es)) == {"ED": ed, "ES": es}


def test_slices_may_be_contoured_in_one_phase_only():
    contours = heart()
    contours[0][ES] = {}
    contours[-1][ED] = {}
    assert find_phases(contours) == PHASES


def test_open_contours_count():
    contours = heart()
    for time in (ED, ES):
        contours[0][time] = {OPEN_ENDO: circle(20), OPEN_EPI: circle(28)}
    assert find_phases(contours) == PHASES


def test_one_contoured_time_is_a_fault_that_names_it():
    contours = without(without(without(heart(), ENDO, times=[ES]), EPI, times=[ES]), RV, times=[ES])
    expected = (
        "ED and ES are needed, but the contoured times are 1: time index 1 in 10 slices; contour all slices at both"
    )
    with pytest.raises(InputError, match=expected):
        find_phases(contours)


def test_no_contoured_time_is_a_fault():
    with pytest.raises(InputError, match="ED and ES are needed, but the contoured times are 0: none; contour"):
        find_phases([[{}] * TIMES] * SLICES)


def test_a_stray_contour_at_a_third_time_is_a_fault_that_names_its_place():
    contours = heart()
    contours[4][17] = {ENDO: circle(12)}
    expected = "time index 1 in 10 slices, time index 9 in 10 slices, time index 17 in slice index 4 only; delete"
    with pytest.raises(InputError, match=f"ED and ES are needed, but the contoured times are 3: {expected}"):
        find_phases(contours)


@pytest.mark.parametrize(("name", "border"), [(ENDO, "LV endocardium"), (EPI, "LV epicardium"), (RV, "RV endocardium")])
@pytest.mark.parametrize(("drawn", "missing"), [(ED, ES), (ES, ED)])
def test_a_border_in_one_phase_only_is_a_fault_that_names_the_time(name, border, drawn, missing):
    expected = f"{border}: contours at time index {drawn}, but none at {missing}; draw them at both"
    with pytest.raises(InputError, match=expected):
        find_phases(without(heart(), name, times=[missing]))


@pytest.mark.parametrize(("name", "border"), [(ENDO, "LV endocardium"), (EPI, "LV epicardium"), (RV, "RV endocardium")])
def test_a_border_in_no_phase_is_a_fault(name, border):
    with pytest.raises(InputError, match=f"{border}: no contour at either phase; draw it at ED and ES"):
        find_phases(without(heart(), name))


def test_equal_cavities_are_a_fault():
    contours = heart()
    for images in contours:
        images[ES] = images[ED]
    with pytest.raises(InputError, match="the LV cavity is as large at time index 1 as at 9, so neither is ED"):
        find_phases(contours)


# ---- Oddities


@pytest.mark.parametrize("tilt_px", [(0, 0), (1, -0.5), (4, 3)])
def test_a_straight_heart_has_no_oddities_however_tilted(tilt_px):
    assert notes(heart(tilt_px=tilt_px)) == ()


def test_missing_epicardia_in_the_middle_are_noted_once_per_slice():
    contours = without(without(heart(), EPI, slices=[4, 5]), EPI, slices=[6], times=[ES])
    assert notes(contours) == ("epicardium-missing-in-3-slices",)


def test_missing_epicardia_at_the_ends_are_not_noted():
    assert notes(without(heart(), EPI, slices=[0, SLICES - 1])) == ()


def test_a_slice_without_contours_is_no_missing_epicardium():
    contours = heart()
    contours[4][ED] = contours[4][ES] = {}
    assert notes(contours) == ()


@pytest.mark.parametrize("index", range(SLICES))
def test_a_shifted_slice_is_noted_with_its_shift_and_no_other_is(index):
    shift_px = np.array([8, 8]) / SPACING_MM[::-1] * (1, -1)
    expected_mm = round(np.hypot(8, 8))
    assert notes(heart(shifts_px={index: shift_px})) == (f"breath-hold-shift-slice-{index}-by-{expected_mm}-mm",)


def test_a_shift_of_4_mm_is_not_noted():
    assert notes(heart(shifts_px={5: (4 / SPACING_MM[1], 0)})) == ()


def test_two_shifted_slices_apart_are_both_noted():
    found = notes(heart(shifts_px={1: (8, 0), 7: (0, -8)}))
    assert [re.sub("-by.*", "", note) for note in found] == [f"breath-hold-shift-slice-{index}" for index in (1, 7)]


def test_a_smoothly_curved_heart_is_no_shift():
    bend_px = {index: (0.15 * (index - 4.5) ** 2, 0) for index in range(SLICES)}
    assert notes(heart(shifts_px=bend_px)) == ()


def test_slices_left_out_between_contoured_ones_are_no_shift():
    contours = heart(tilt_px=(3, 0))
    for index in (2, 3, 6):
        contours[index][ED] = contours[index][ES] = {}
    assert notes(contours) == ()


def test_an_open_contour_at_the_base_is_no_shift():
    contours = heart()
    for time in (ED, ES):
        half = [points[points[:, 1] > 90] for points in (contours[0][time][ENDO], contours[0][time][EPI])]
        contours[0][time] = dict(zip((OPEN_ENDO, OPEN_EPI), half, strict=True))
    assert notes(contours) == ()


def test_without_epicardia_the_endocardium_tells_the_shift():
    contours = without(heart(shifts_px={5: (8, 0)}), EPI, slices=range(1, SLICES))
    assert notes(contours) == ("breath-hold-shift-slice-5-by-12-mm",)


def test_four_slices_are_too_few_to_tell_a_shift():
    assert notes(heart(shifts_px={1: (8, 0)})[:4]) == ()
