"""The page of a cohort: who comes first, what is said of each patient, and what is drawn."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from cmrslices.labels import LABELS
from cmrslices.patients.flag_pages import BAD_ONES, overview, patients_of, read_raised, reasons, worst_first, write_page
from cmrslices.patients.flags import FLAGS, PLACE, RAISED
from cmrslices.patients.strips import MARGIN_MM, SMALLEST_MM, Strip, draw_strips, square_mm

LIMITS = dict.fromkeys(FLAGS, 0.5)
FOUND = [
    ("a", "a_ED", 3, "", "gap", 1.0, 0.0, "no label & so on"),
    ("a", "a_ED", 3, "LVM", "components", 80.0, 50.0, "in pieces"),
    ("b", "b_ES", 1, "", "gap", 1.0, 0.0, "no label"),
    ("b", "b_ES", 2, "", "gap", 1.0, 0.0, "no label"),
    ("c", "", None, "LVBP", "contraction", 1.2, 1.0, "grows"),
]


def found(rows=FOUND):
    return pd.DataFrame(rows, columns=RAISED).astype({"slice": "Int64"})


def flag_scores(patients="abcd"):
    rows = [
        (patient, f"{patient}_{phase}", phase, number)
        for patient in patients
        for phase in ("ED", "ES")
        for number in range(5)
    ]
    return pd.DataFrame(rows, columns=PLACE).assign(**dict.fromkeys(FLAGS, 0.0))


def test_the_most_flagged_slices_come_first_and_a_slice_with_two_flags_counts_once():
    people = worst_first(patients_of(found(), flag_scores()))
    assert [(person.name, person.slices, person.of_whole) for person in people] == [
        ("b", 2, 0),
        ("a", 1, 0),
        ("c", 0, 1),
        ("d", 0, 0),
    ]


def test_the_reasons_of_a_slice_stand_in_one_line_and_are_escaped():
    text = reasons(found()[found()["patient"] == "a"])
    assert text == "<ul><li><b>a_ED, slice 3</b>: no label &amp; so on; in pieces</li></ul>"


def test_a_flag_of_the_patient_is_said_to_be_of_the_patient():
    assert reasons(found()[found()["patient"] == "c"]) == "<ul><li><b>Patient</b>: grows</li></ul>"


def worth(cohort, auroc):
    numbers = {"patients": 9, "slices": 90, "bad": 20, "raised": 10, "raised_bad": 8}
    return pd.DataFrame(
        [{"cohort": cohort, "flag": "gap", **numbers, "auroc": auroc, "auroc_low": 0.6, "auroc_high": 0.9}]
    )


def overview_of(worth_table):
    return overview(found(), flag_scores(), worth_table, LIMITS).set_index("Flag").loc[FLAGS["gap"]]


def test_the_worth_is_that_over_all_labelled_cohorts():
    row = overview_of(pd.concat([worth("acdc", 0.7), worth("all", 0.8)]))
    assert (row["AUROC"], row[BAD_ONES]) == ("0.80 [0.60, 0.90]", "8 of 10")
    assert (row["Patients"], row["Slices"]) == ("2", "3")


def test_the_worth_over_one_labelled_cohort_is_that_of_this_cohort():
    assert overview_of(worth("acdc", 0.7))["AUROC"] == "0.70 [0.60, 0.90]"


def test_without_labelled_cohorts_the_worth_is_not_measured():
    assert overview_of(None)["AUROC"] == "not measured"


def test_a_flag_that_cannot_be_judged_is_not_said_to_be_raised_nowhere():
    table = overview(found(), flag_scores().assign(disagreement=np.nan), None, LIMITS).set_index("Flag")
    assert table.loc[FLAGS["disagreement"], "Patients"] == "cannot be judged"
    assert table.loc[FLAGS["open_cavity"], "Patients"] == "0"


# ---- Strips -----------------------------------------------------------------


def strip(spacing_mm=(1.0, 1.0, 8.0), flagged=()):
    labels = np.zeros((4, 200, 160), np.uint8)
    labels[1:3, 100:160, 20:40] = LABELS["LVM"]
    return Strip("p (ED)", np.random.default_rng(0).random(labels.shape), labels, np.array(spacing_mm), flagged)


def test_the_square_holds_the_labels_of_all_stacks_in_mm():
    wide = strip((2.0, 2.0, 8.0))
    across, down, side = square_mm([wide])
    assert (across, down, side) == (60, 260, 120 + 2 * MARGIN_MM)


def test_a_small_heart_does_not_fill_the_square():
    small = strip((0.5, 0.5, 8.0))
    assert square_mm([small])[2] == SMALLEST_MM


def test_without_labels_the_middle_of_the_image_is_shown():
    empty = strip()._replace(labels=np.zeros((4, 200, 160), np.uint8))
    assert square_mm([empty]) == (80, 100, 160)


def test_flagged_slices_are_framed():
    figure = draw_strips([strip(flagged={1, 3})], columns=6)
    (panel,) = figure.axes
    assert [round(frame.get_x()) for frame in panel.patches] == [1, 3]


def test_a_long_stack_goes_on_in_the_next_row():
    figure = draw_strips([strip(flagged={3})], columns=3)
    first, second = figure.axes
    assert [text.get_text() for text in first.texts] == ["0", "1", "2"]
    assert [text.get_text() for text in second.texts] == ["3"]
    assert (len(first.patches), len(second.patches)) == (0, 1)
    assert second.get_position().y1 == pytest.approx(first.get_position().y0)


def test_all_pictures_are_equally_wide():
    sizes = {draw_strips([strip()], columns=columns).get_figwidth() for columns in (4, 12)}
    assert len(sizes) == 1


def test_a_square_beyond_the_image_is_drawn():
    corner = np.zeros((4, 200, 160), np.uint8)
    corner[:, :4, :4] = LABELS["RVBP"]
    figure = draw_strips([strip()._replace(labels=corner)], columns=4)
    assert figure.axes[0].images[0].get_array().shape == (100, 400)


# ---- The page ---------------------------------------------------------------


def write(folder, volume, name):
    folder.mkdir(exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(volume), folder / f"{name}.nii.gz")


@pytest.fixture
def page(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.zeros((5, 60, 60), np.uint8)
    labels[1:4, 20:40, 20:40] = LABELS["LVM"]
    for patient in "abcd":
        for phase in ("ED", "ES"):
            write(tmp_path / "labels", labels, f"{patient}_{phase}")
            write(tmp_path / "images", rng.integers(0, 900, labels.shape, np.int16), f"{patient}_{phase}_0000")
    found().to_csv(tmp_path / "qc.csv", index=False)
    flag_scores().to_csv(tmp_path / "scores.csv", index=False)
    write_page(
        raised=tmp_path / "qc.csv",
        scores=tmp_path / "scores.csv",
        worth=None,
        limits=LIMITS,
        images=tmp_path / "images",
        predictions=tmp_path / "labels",
        approach="Ours",
        cohort="M&Ms",
        html=tmp_path / "qc.html",
        threads=1,
    )
    return (tmp_path / "qc.html").read_text()


def test_the_page_shows_every_patient_with_a_picture_the_worst_first(page):
    headings = [part.split("</h2>")[0] for part in page.split("<h2>")[1:]]
    assert headings == [
        "b: 2 flagged slices",
        "a: 1 flagged slice",
        "c: 0 flagged slices, 1 of the whole patient",
        "d: no flag",
    ]
    assert page.count("<img src=") == 4
    assert "3 of 4 patients have a flag" in page
    assert "M&amp;Ms" in page


def test_names_such_as_NA_are_read_as_they_are(tmp_path):
    found([("NA", "NA_ED", 1, "", "gap", 1.0, 0.0, "none")]).to_csv(tmp_path / "qc.csv", index=False)
    row = read_raised(tmp_path / "qc.csv").iloc[0]
    assert (row["patient"], row["label"], row["slice"]) == ("NA", "", 1)
