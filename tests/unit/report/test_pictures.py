"""Slices with reference and predictions, and the pages around them."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from damage import DAMAGES

from cmrslices.labels import LABELS, REGIONS
from cmrslices.report.overlays import COLUMNS, SMALLEST_MM, WIDEST, Slice, draw_slices, read_slice, shown_square
from cmrslices.report.pictures import write_examples, write_worst_cases
from cmrslices.runtime.errors import InputError

APPROACHES = {"baseline": "Baseline", "new": "New <b>"}


def labelled(shape, rows, columns):
    labels = np.zeros(shape, np.uint8)
    labels[rows, columns] = LABELS["LVM"]
    return labels


def a_slice(reference, *predictions, pixel_mm=(1.0, 1.0)):
    titles = [f"approach {number}" for number in range(len(predictions))]
    dsc = {title: dict.fromkeys(LABELS, np.nan) | {"LVM": 0.5} for title in titles}
    image = np.arange(reference.size, dtype=float).reshape(reference.shape)
    return Slice("heading", image, pixel_mm, reference, dict(zip(titles, predictions, strict=True)), dsc)


def test_a_picture_is_centred_on_the_reference_in_mm():
    reference = labelled((200, 200), slice(50, 60), slice(100, 120))
    across, down, side_mm = shown_square(a_slice(reference, reference, pixel_mm=(2.0, 1.5)))
    assert (across, down, side_mm) == (165, 110, SMALLEST_MM)


def test_a_picture_widens_to_hold_the_predictions():
    reference = labelled((400, 400), slice(190, 210), slice(190, 210))
    prediction = labelled((400, 400), slice(160, 210), slice(190, 210))
    assert shown_square(a_slice(reference, prediction))[2] > shown_square(a_slice(reference, reference))[2]


def test_a_prediction_far_away_does_not_make_the_heart_tiny():
    reference = labelled((400, 400), slice(190, 210), slice(190, 210))
    astray = labelled((400, 400), slice(0, 2), slice(0, 2))
    assert shown_square(a_slice(reference, astray))[2] == WIDEST * SMALLEST_MM


def test_a_slice_is_read_with_its_pixels_height_and_width(tmp_path):
    volume = sitk.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    volume.SetSpacing((1.5, 2.0, 8.0))
    sitk.WriteImage(volume, tmp_path / "a.nii.gz")
    image, pixel_mm = read_slice(tmp_path / "a.nii.gz", 1)
    assert image.tolist() == np.arange(12, 24).reshape(3, 4).tolist()
    assert pixel_mm == (2.0, 1.5)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_volume_that_is_not_whole_is_named(tmp_path, damage):
    volume = np.random.default_rng(0).integers(0, 1000, (10, 60, 60), dtype=np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(volume), tmp_path / "a.nii.gz")
    damage(tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"a\.nii\.gz: cannot be read .*; delete the folder"):
        read_slice(tmp_path / "a.nii.gz", 0)


@pytest.mark.parametrize("approaches", [1, COLUMNS, 2 * COLUMNS])
def test_there_is_a_panel_per_approach_and_one_for_the_image(approaches):
    reference = labelled((60, 60), slice(20, 40), slice(20, 40))
    figure = draw_slices([a_slice(reference, *[reference] * approaches)] * 2)
    visible = [panel for part in figure.subfigs for panel in part.axes if panel.get_visible()]
    assert len(visible) == 2 * (approaches + 1)


def test_a_label_that_the_reference_lacks_has_no_number():
    reference = labelled((60, 60), slice(20, 40), slice(20, 40))
    panel = draw_slices([a_slice(reference, reference)]).subfigs[0].axes[1]
    assert panel.get_xlabel().split() == ["LVBP", "-", "LVM", "50", "RVBP", "-"]


@pytest.fixture
def cohort(tmp_path):
    """Two cases of a slice per region; the second is the worse one everywhere."""
    rows = []
    for case in ("x_a_ED", "x_b_ED"):
        voxels = np.stack([labelled((40, 40), slice(10, 30), slice(10, 30))] * 3)
        for folder in ("labels", "baseline", "new"):
            (tmp_path / folder).mkdir(exist_ok=True)
            sitk.WriteImage(sitk.GetImageFromArray(voxels), tmp_path / folder / f"{case}.nii.gz")
        image = np.random.default_rng(0).normal(size=voxels.shape).astype(np.float32)
        (tmp_path / "images").mkdir(exist_ok=True)
        sitk.WriteImage(sitk.GetImageFromArray(image), tmp_path / "images" / f"{case}_0000.nii.gz")
        for number, region in enumerate(REGIONS):
            dsc = {"LVBP": np.nan, "LVM": 0.9 if case == "x_a_ED" else 0.3, "RVBP": np.nan}
            place = {"cohort": "x", "case": case, "patient": case[2], "phase": "ED", "slice": number, "region": region}
            rows += [{**place, "position": number / 2, "label": label, "dsc": value} for label, value in dsc.items()]
    for approach in APPROACHES:
        pd.DataFrame(rows).assign(approach=approach).to_csv(tmp_path / f"{approach}.csv", index=False)
    return {
        "scores": [tmp_path / f"{approach}.csv" for approach in APPROACHES],
        "approaches": APPROACHES,
        "baseline": "baseline",
        "images": tmp_path / "images",
        "references": tmp_path / "labels",
        "predictions": [tmp_path / approach for approach in APPROACHES],
        "title": "Clinic",
        "html": tmp_path / "page.html",
    }


def test_the_page_of_examples_says_that_they_are_of_patients(cohort, tmp_path):
    write_examples(**cohort, png=tmp_path / "examples.png")
    text = cohort["html"].read_text()
    assert "pictures of patients" in text
    assert text.count("data:image/webp;base64,") == 1


def test_the_page_of_worst_cases_lists_the_worst_first_with_a_picture_of_each_region(cohort, tmp_path):
    pictures = {region: tmp_path / f"{region}.png" for region in REGIONS}
    write_worst_cases(**cohort, csv=tmp_path / "worst.csv", pictures=pictures)
    table = pd.read_csv(tmp_path / "worst.csv")
    assert table.loc[table["rank"] == 1, "case"].tolist() == ["x_b_ED"] * 3
    text = cohort["html"].read_text()
    assert text.count("data:image/webp;base64,") == 3
    assert "pictures of patients" in text
    assert "New &lt;b&gt;" in text


def test_a_browser_shows_the_largest_page_within_the_report(cohort, tmp_path):
    write_worst_cases(
        **cohort, csv=tmp_path / "worst.csv", pictures={name: tmp_path / f"{name}.png" for name in REGIONS}
    )
    assert cohort["html"].stat().st_size * 4 / 3 < 2_000_000


def test_pictures_repeat_byte_for_byte(cohort, tmp_path):
    for name in ("first.png", "second.png"):
        write_examples(**cohort, png=tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
