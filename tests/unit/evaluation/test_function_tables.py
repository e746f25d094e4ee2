"""Cardiac function as readers get it: tables of agreement and of regions, every patient, and the Bland-Altman page."""

import numpy as np
import pandas as pd
import pytest
from places import ROOT

from cmrslices.evaluation.bland_altman import draw_bland_altman, write_bland_altman
from cmrslices.evaluation.function import patient_function, regional_volumes, with_volumes
from cmrslices.evaluation.function_tables import write_cardiac_function
from cmrslices.evaluation.scores import read_scores
from cmrslices.labels import LABELS, TABLE_ORDER
from cmrslices.presentation.paper import read_paper

COHORTS = {"acdc": "ACDC", "mnms": "M&Ms"}
APPROACHES = {"baseline": "Baseline", "other": "Other | one"}
PATIENTS = {"acdc": ["NA", "null", "0010", "p4", "p5", "p6"], "mnms": ["NA", "b", "c"]}
LITERATURE = ROOT / "resources/literature/function.csv"


def write_scores(path, cohort, approach):
    """Cases at ED and ES of every patient; ES is smaller, and predictions differ from the references at random."""
    keys = {"patient": PATIENTS[cohort], "phase": ["ED", "ES"], "region": TABLE_ORDER, "label": list(LABELS)}
    table = pd.MultiIndex.from_product(keys.values(), names=keys).to_frame(index=False)
    random = np.random.default_rng(len(cohort) + len(approach))
    area = random.uniform(1000, 2000, len(table)) * table["phase"].map({"ED": 2, "ES": 1})
    area = area.where(table["region"] != "non-cardiac", 0)
    table = table.assign(
        cohort=cohort,
        approach=approach,
        case=cohort + "_" + table["patient"] + "_" + table["phase"],
        slice=table["region"].map(TABLE_ORDER.index),
        position=0.5,
        reference_mm2=area,
        predicted_mm2=area + random.uniform(0, 200, len(table)),
        dsc=0.9,
    )
    table.to_csv(path, index=False)
    return path


def write_cases(path, cohort, **columns):
    rows = [(f"{cohort}_{patient}_{phase}", patient, phase) for patient in PATIENTS[cohort] for phase in ("ED", "ES")]
    table = pd.DataFrame(rows, columns=["case", "patient", "phase"]).assign(excluded=False, spacing_z_mm=10.0)
    table.assign(**columns).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    return {
        "scores": [
            write_scores(folder / f"{approach}_{cohort}.csv", cohort, approach)
            for approach in APPROACHES
            for cohort in COHORTS
        ],
        "cases": [
            write_cases(folder / "acdc.csv", "acdc", group="DCM", vendor=""),
            write_cases(folder / "mnms.csv", "mnms"),
        ],
    }


def write(folder, inputs):
    """Write all tables; the folder."""
    write_cardiac_function(
        **inputs,
        cohorts=COHORTS,
        approaches=APPROACHES,
        baseline="baseline",
        primary={"other": "baseline"},
        literature=LITERATURE,
        table=[folder / f"function.{ending}" for ending in ("csv", "md", "tex", "html")],
        errors=[folder / f"errors.{ending}" for ending in ("csv", "md", "html")],
        changes=[folder / f"changes.{ending}" for ending in ("csv", "md", "html")],
        patients=folder / "patients.csv",
    )
    return folder


@pytest.fixture(scope="module")
def written(inputs, tmp_path_factory):
    return write(tmp_path_factory.mktemp("written"), inputs)


def test_agreement_has_a_row_for_every_cohort_approach_and_quantity(written):
    table = pd.read_csv(written / "function.csv")
    assert len(table) == len(table.drop_duplicates(["cohort", "approach", "quantity"])) == 2 * 2 * 9


def test_the_caption_states_the_conventions(written):
    for file in ("function.md", "function.html", "function.tex"):
        text = (written / file).read_text()
        for convention in ("no end caps", "1.05 g/ml", "The label map decides which slices count"):
            assert convention in text, (file, convention)


def test_the_caption_names_the_cohorts_of_fewer_than_five_patients(written):
    caption = (written / "function.md").read_text().splitlines()[0]
    assert "With fewer than 5 patients there are no limits, no ICC and no r (M&Ms)." in caption


def test_published_errors_stand_beside_ours_with_their_sources(written):
    caption = (written / "function.md").read_text().splitlines()[0]
    for quoted in ("LVEF 4.6 to 7.5 %", "LV mass 20.2 to 34.5 g", "63 (2015)", "LVEF 0.990 to 0.993", "-0.36 ± 2.69 %"):
        assert quoted in caption
    for quoted in ("below 8.4 ml", "below 9.2 ml", "below 13.3 g", "below 5.9 %"):
        assert quoted in caption


def test_cells_without_limits_are_empty(written):
    lines = (written / "function.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| M&Ms")]
    assert len(cells) == 18
    assert {(row[6], row[9], row[10]) for row in cells if "Other" not in row[2]} == {("", "", "")}


def test_latex_has_a_row_for_every_cohort_and_approach(written):
    text = (written / "function.tex").read_text()
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    assert body.count(r"\\") == 4
    assert "LV mass (g)" in text


def test_the_errors_of_a_row_sum_to_its_last_column(written):
    table = pd.read_csv(written / "errors.csv")
    wide = table.pivot(index=["cohort", "approach", "quantity"], columns="region", values="mean_error")
    np.testing.assert_allclose(wide[list(TABLE_ORDER)].sum(axis=1), wide["all"], rtol=1e-4)


def test_the_change_of_an_error_is_the_difference_of_the_errors_in_the_table_of_agreement(written):
    told = pd.read_csv(written / "function.csv").set_index(["cohort", "quantity", "approach"])["mean_absolute_error"]
    told = told.unstack("approach")
    found = pd.read_csv(written / "changes.csv").query("question == 'change'").set_index(["cohort", "quantity"])
    pd.testing.assert_series_equal(
        found["estimate"].sort_index(), told["other"] - told["baseline"], rtol=0, atol=1e-4, check_names=False
    )


def test_every_question_about_changes_has_a_table_with_titles_and_numbers_of_patients(written):
    text = (written / "changes.md").read_text()
    for question in ("of a remedy smaller", "How large are", "What does an approach change"):
        assert question in text
    assert text.count(r"Other \| one") == 3 * len(COHORTS)
    assert text.count("| versus") == 1, "of the primary comparisons, whose controls may all be one"
    assert "ACDC n = 6 patients; M&Ms n = 3 patients" in text


def test_every_patient_is_listed_by_name_with_the_group_where_a_cohort_has_it(written):
    table = pd.read_csv(written / "patients.csv", dtype=str, keep_default_na=False)
    assert table["patient"].unique().tolist() == ["NA", "null", "0010", "p4", "p5", "p6", "b", "c"]
    assert set(table.loc[table["cohort"] == "acdc", "group"]) == {"DCM"}
    assert set(table.loc[table["cohort"] == "mnms", "group"]) == {""}
    assert "vendor" not in table


def test_all_tables_repeat_byte_for_byte(written, inputs, tmp_path):
    again = write(tmp_path, inputs)
    assert [file.name for file in written.iterdir() if file.read_bytes() != (again / file.name).read_bytes()] == []


# ---- Pictures ---------------------------------------------------------------


def function_of(inputs, cohort):
    scores = read_scores([file for file in inputs["scores"] if cohort in file.name], [cohort], APPROACHES)
    cases = pd.read_csv(inputs["cases"][list(COHORTS).index(cohort)], keep_default_na=False)
    return patient_function(regional_volumes(with_volumes(scores, {cohort: cases})))


def panels(inputs, cohort):
    """Panels of the page, by row and column."""
    human = read_paper(LITERATURE).query("measure == 'inter-reader error'")
    figure = draw_bland_altman(function_of(inputs, cohort), APPROACHES, human, COHORTS[cohort])
    return np.reshape(figure.axes, (7, 2))


def test_the_page_has_a_row_for_each_quantity_and_a_point_for_each_patient(inputs):
    found = panels(inputs, "acdc")
    assert [len(panel.collections[0].get_offsets()) for panel in found.flat] == [6] * 14
    assert [panel.get_ylabel().partition(" (")[0] for panel in found[:, 0]] == [
        *("LVEDV", "LVESV", "LVEF", "LV mass", "RVEDV", "RVESV", "RVEF")
    ]


def test_the_human_error_stands_beside_its_quantity(inputs):
    names = [panel.get_ylabel() for panel in panels(inputs, "acdc")[:, 0]]
    assert names[2] == "LVEF (%)\nhuman: 4.6 to 7.5"
    assert names[6] == "RVEF (%)"


def test_points_are_the_difference_against_the_mean(inputs):
    row = function_of(inputs, "acdc").query("quantity == 'LVEDV' and approach == 'other'").iloc[0]
    expected = [(row["reference"] + row["predicted"]) / 2, row["predicted"] - row["reference"]]
    assert panels(inputs, "acdc")[0, 1].collections[0].get_offsets()[0].tolist() == pytest.approx(expected)


def test_fewer_than_five_patients_have_no_limits_and_the_panel_says_so(inputs):
    panel = panels(inputs, "mnms")[0, 0]
    assert "n = 3: no limits" in panel.texts[0].get_text()
    assert len(panel.lines) == 2  # no difference, bias


def test_the_page_is_written_as_png_pdf_and_html(inputs, tmp_path):
    files = [tmp_path / f"page.{ending}" for ending in ("png", "pdf", "html")]
    scores = [file for file in inputs["scores"] if "mnms" in file.name]
    write_bland_altman(scores, inputs["cases"][1], "mnms", "M&Ms", APPROACHES, LITERATURE, files)
    assert [file.read_bytes()[:4] for file in files] == [b"\x89PNG", b"%PDF", b"<!DO"]
    assert "Bland-Altman, M&amp;Ms" in files[2].read_text()
