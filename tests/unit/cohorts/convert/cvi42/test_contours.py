"""Contours to labels: unbiased areas, the order of filling, unusable contours."""

import numpy as np
import pytest
from places import REAL_DATA
from shapely import Polygon
from skimage.draw import polygon, polygon_perimeter
from workspaces import contour, workspace

from cmrslices.cohorts.convert.cvi42.contours import fill
from cmrslices.cohorts.convert.cvi42.workspace import read_workspace
from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError

SCD = REAL_DATA / "SCD"
MATRIX = (80, 100)
ENDO, EPI, RV = "saendocardialContour", "saepicardialContour", "sarvendocardialContour"
OPEN_ENDO, OPEN_EPI = "saendocardialOpenContour", "saepicardialOpenContour"
GRID_PX = 0.25
"""Contour points of cvi42 lie on a grid of a quarter of a pixel."""


def ellipse(radii=(12, 10), centre=(50, 40), turned=0.0, arc=(0, 2 * np.pi), points=120) -> np.ndarray:
    angle = np.linspace(*arc, points, endpoint=False)
    x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
    turn = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    return np.column_stack([x, y]) @ turn.T + centre


def rectangle(low, high) -> np.ndarray:
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])], dtype=float)


def random_ellipses(radii, count=200) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(count):
        radius = rng.uniform(*radii)
        outline = ellipse((radius, radius * rng.uniform(0.75, 1)), rng.uniform(38, 42, 2), rng.uniform(0, np.pi))
        drawn.append(np.round(outline / GRID_PX) * GRID_PX)
    return drawn


def relative_errors(outlines, area) -> np.ndarray:
    true = np.array([Polygon(outline).area for outline in outlines])
    return np.array([area(outline) for outline in outlines]) / true - 1


def filled_area(outline: np.ndarray) -> int:
    return int(fill({ENDO: outline}, MATRIX).sum())


def native_area(outline: np.ndarray) -> int:
    """Area of the filling at the image's resolution, which takes the pixels on the outline."""
    image = np.zeros(MATRIX[::-1], dtype=bool)
    image[polygon(*np.round(outline).T, shape=image.shape)] = True
    image[polygon_perimeter(*np.round(outline).astype(int).T, shape=image.shape)] = True
    return int(image.sum())


# ---- Area and place


def test_areas_of_ventricles_are_unbiased():
    errors = relative_errors(random_ellipses((12, 30)), filled_area)
    assert abs(errors.mean()) < 0.001
    assert abs(errors).max() < 0.01


def test_areas_of_small_apices_are_unbiased():
    errors = relative_errors(random_ellipses((4, 8)), filled_area)
    assert abs(errors.mean()) < 0.001
    assert abs(errors).max() < 0.02


def test_filling_at_the_images_resolution_over_estimates_where_this_does_not():
    ventricles = random_ellipses((12, 20))
    assert 0.05 < relative_errors(ventricles, native_area).mean() < 0.10
    assert abs(relative_errors(ventricles, filled_area).mean()) < 0.001


def test_the_area_of_an_outline_through_pixel_centres_is_its_own():
    assert filled_area(rectangle((10, 10), (20, 25))) == 150


def test_whole_numbers_are_pixel_centres():
    label = fill({ENDO: rectangle((9.5, 19.5), (11.5, 22.5))}, MATRIX)
    assert label.shape == (100, 80)
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(np.argwhere(label), [(x, y) for x in (10, 11) for y in (20, 21, 22)])


def test_the_label_has_the_centre_of_its_outline():
    for outline in random_ellipses((12, 30), count=20):
        centre = np.argwhere(fill({ENDO: outline}, MATRIX)).mean(axis=0)
        np.testing.assert_allclose(centre, Polygon(outline).centroid.coords[0], atol=0.15)


def test_a_contour_moved_by_whole_pixels_moves_its_label():
    label = fill({ENDO: ellipse()}, MATRIX)
    moved = fill({ENDO: ellipse(centre=(53, 44))}, MATRIX)
    np.testing.assert_array_equal(moved, np.roll(label, (3, 4), axis=(0, 1)))


def test_the_direction_of_drawing_does_not_matter():
    outline = ellipse()
    np.testing.assert_array_equal(fill({ENDO: outline}, MATRIX), fill({ENDO: outline[::-1]}, MATRIX))


@pytest.mark.parametrize("centre", [(0, 40), (99, 40), (50, 0), (50, 79)])
def test_a_contour_at_the_images_edge_is_cut_there(centre):
    outline = np.clip(ellipse(centre=centre), -0.5, np.array([99.5, 79.5]))
    label = fill({ENDO: outline}, MATRIX)
    assert label.sum() == pytest.approx(Polygon(outline).area, rel=0.02)


# ---- Labels


def test_the_lv_is_filled_over_the_rv_and_the_cavity_over_the_myocardium():
    label = fill(
        {
            ENDO: rectangle((49.5, 39.5), (59.5, 49.5)),
            EPI: rectangle((39.5, 29.5), (69.5, 59.5)),
            RV: rectangle((19.5, 29.5), (44.5, 59.5)),
        },
        MATRIX,
    )
    areas = {name: int((label == value).sum()) for name, value in LABELS.items()}
    assert areas == {"LVBP": 100, "LVM": 900 - 100, "RVBP": 750 - 5 * 30}


@pytest.mark.parametrize(("name", "value"), [(ENDO, 1), (EPI, 2), (RV, 3)])
def test_a_border_alone_is_labelled_alone(name, value):
    assert set(np.unique(fill({name: ellipse()}, MATRIX))) == {0, value}


@pytest.mark.parametrize("names", [(RV, f"{RV}0001"), (f"{RV}0001", f"{RV}0002")])
def test_all_pieces_of_a_border_are_filled(names):
    pieces = [ellipse(centre=(20, 40)), ellipse(centre=(60, 40))]
    each = [fill({RV: points}, MATRIX) for points in pieces]
    assert np.array_equal(fill(dict(zip(names, pieces, strict=True)), MATRIX), each[0] + each[1])


def test_no_contour_is_an_empty_label():
    assert not fill({}, MATRIX).any()


def test_open_contours_are_closed_by_the_chord():
    half = (0, np.pi)
    cavity, whole = (ellipse((radius, radius), arc=half, points=2000) for radius in (20, 28))
    label = fill({OPEN_ENDO: cavity, OPEN_EPI: whole}, MATRIX)
    assert (label == LABELS["LVBP"]).sum() == pytest.approx(np.pi * 20**2 / 2, rel=0.02)
    assert (label == LABELS["LVM"]).sum() == pytest.approx(np.pi * (28**2 - 20**2) / 2, rel=0.02)


def test_of_a_closed_and_an_open_contour_the_closed_one_counts():
    closed = ellipse((12, 10))
    both = {ENDO: closed, OPEN_ENDO: ellipse((20, 20), arc=(0, np.pi))}
    np.testing.assert_array_equal(fill(both, MATRIX), fill({ENDO: closed}, MATRIX))


# ---- Unusable contours


def figure_eight() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    return np.column_stack([50 + 20 * np.sin(angle), 40 + 10 * np.sin(2 * angle)])


def overshot() -> np.ndarray:
    """Drawn on past its beginning, on a line three pixels further in."""
    return np.concatenate([ellipse((20, 20), points=120), ellipse((17, 17), arc=(0.1, 1.5), points=30)])


@pytest.mark.parametrize("outline", [figure_eight(), overshot()], ids=["figure-eight", "overshot"])
@pytest.mark.parametrize("step", [1, -1])
def test_a_contour_that_crosses_itself_is_a_fault_that_names_the_border(outline, step):
    with pytest.raises(InputError, match=r"LV endocardium: the contour crosses itself, with a loop of [0-9]+ pixels"):
        fill({ENDO: outline[::step]}, MATRIX)


def with_repeats() -> np.ndarray:
    return np.repeat(ellipse(), 3, axis=0)


def with_spike() -> np.ndarray:
    outline = ellipse()
    return np.concatenate([outline[:10], [outline[9] + 6.0], outline[9:]])


def with_tiny_loop() -> np.ndarray:
    outline = ellipse()
    slip = outline[10] + np.array([(0.0, 0.0), (-0.5, 0.5), (-0.5, 0.0), (0.25, 0.25)])
    return np.concatenate([outline[:10], slip, outline[11:]])


def hourglass() -> np.ndarray:
    """Touches itself at its waist."""
    return np.array([(40, 30), (60, 30), (50, 40), (60, 50), (40, 50), (50, 40)], dtype=float)


@pytest.mark.parametrize("draw", [with_repeats, with_spike, with_tiny_loop, hourglass], ids=lambda draw: draw.__name__)
def test_slips_of_the_hand_are_no_fault(draw):
    outline = draw()
    area = Polygon(outline).buffer(0).area
    assert filled_area(outline) == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize("inner", [EPI, OPEN_EPI])
def test_an_epicardium_inside_the_endocardium_is_a_fault(inner):
    outer = ENDO if inner == EPI else OPEN_ENDO
    with pytest.raises(InputError, match="LV epicardium: not larger than the LV endocardium; redraw"):
        fill({outer: ellipse((20, 20)), inner: ellipse((15, 15))}, MATRIX)


def test_an_epicardium_beside_the_endocardium_is_a_fault():
    with pytest.raises(InputError, match="LV epicardium: not around the LV endocardium; redraw"):
        fill({ENDO: ellipse((12, 12)), EPI: ellipse((16, 16), centre=(62, 40))}, MATRIX)


def test_the_chord_of_an_open_epicardium_may_cut_the_cavity():
    opened = (0.25 * np.pi, 1.75 * np.pi)
    label = fill({OPEN_ENDO: ellipse((20, 20), arc=(0.1, 6.2)), OPEN_EPI: ellipse((26, 26), arc=opened)}, MATRIX)
    assert set(np.unique(label)) == {0, 1, 2}


def test_a_closed_endocardium_may_reach_out_of_an_open_epicardium():
    half = ellipse((22, 22), arc=(0, np.pi))
    label = fill({ENDO: ellipse((20, 20), centre=(50, 42)), OPEN_EPI: half}, MATRIX)
    assert set(np.unique(label)) == {0, 1, 2}


@pytest.mark.parametrize("centre", [(2, 40), (98, 40), (50, 1), (50, 78), (500, 400)])
def test_a_contour_outside_of_the_image_is_a_fault(centre):
    with pytest.raises(InputError, match="RV endocardium: the contour lies outside of the image of 100 x 80 pixels"):
        fill({RV: ellipse(centre=centre)}, MATRIX)


@pytest.mark.parametrize("outline", [np.full((5, 2), 30.0), rectangle((30, 30), (50, 30))], ids=["point", "line"])
def test_a_contour_that_encloses_nothing_is_a_fault(outline):
    with pytest.raises(InputError, match="LV endocardium: the contour encloses nothing; delete or redraw it"):
        fill({ENDO: outline}, MATRIX)


# ---- Real contours


def sunnybrook_outlines() -> dict[int, dict[str, np.ndarray]]:
    """Instance number to contours; ES has no epicardium there."""
    outlines: dict[int, dict[str, np.ndarray]] = {}
    for suffix, name in (("endo", ENDO), ("epi", EPI)):
        for path in sorted(SCD.glob(f"SCD*-{suffix}/*-manual.txt")):
            outlines.setdefault(int(path.name.split("-")[2]), {})[name] = np.loadtxt(path)
    return outlines


def test_areas_of_real_contours_are_those_of_their_polygons(tmp_path):
    outlines = sunnybrook_outlines()
    if not outlines:
        pytest.skip(f"the real data are absent: {SCD.name}")
    images = {
        f"1.2.{instance}": "".join(contour(name, 4 * points) for name, points in of_image.items())
        for instance, of_image in outlines.items()
    }
    path = tmp_path / "study.cvi42wsx"
    path.write_text(workspace(images))
    errors = []
    for (uid, _), contours in read_workspace(path).contours.items():
        polygons = {name: Polygon(points) for name, points in outlines[int(uid.rpartition(".")[2])].items()}
        label = fill(contours, (256, 256))
        errors.append((label == LABELS["LVBP"]).sum() / polygons[ENDO].area - 1)
        if EPI in polygons:
            errors.append((label == LABELS["LVM"]).sum() / (polygons[EPI].area - polygons[ENDO].area) - 1)
    assert len(errors) == 18 + 9
    assert abs(np.mean(errors)) < 0.01
    assert np.abs(errors).mean() < 0.01
    assert np.abs(errors).max() < 0.02
