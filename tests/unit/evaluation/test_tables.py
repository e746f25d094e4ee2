"""Tables 1 and 3 as readers get them: tidy CSV, Markdown and LaTeX."""

import re

import numpy as np
import pandas as pd
import pytest
from places import PAPER

from cmrslices.evaluation.table1 import write_table1
from cmrslices.evaluation.table3 import write_table3
from cmrslices.labels import LABELS
from cmrslices.presentation import tables

COHORTS = {"nhs": "NHS", "mnms": "M&Ms"}
APPROACHES = {"baseline": "Baseline", "sampling_high": "Batch sampling", "new": "A|B_1"}


def write_scores(path, cohort, approach, gain):
    """Ten patients with a slice per region; a gain at the ends of the heart, and false positives with it."""
    slices = pd.DataFrame({"slice": range(4), "region": ["base", "middle", "apex", "non-cardiac"]})
    patients = pd.DataFrame({"patient": range(10)}).assign(case=lambda t: cohort + "_" + t["patient"].astype(str))
    table = patients.merge(slices, how="cross").merge(pd.DataFrame({"label": list(LABELS)}), how="cross")
    hearts, models = np.random.default_rng(len(cohort)), np.random.default_rng(int(100 * gain))
    noise = hearts.normal(0, 0.02, len(table)) + models.normal(0, 0.005, len(table))
    means = {"base": 0.7 + gain, "middle": 0.85, "apex": 0.7 + gain, "non-cardiac": np.nan}
    table["dsc"] = table["region"].map(means) + noise
    table["reference_mm2"] = 100.0 * table["dsc"].notna()
    table["predicted_mm2"] = 100.0 * (gain > 0)
    table.assign(cohort=cohort, approach=approach, phase="ED", position=0.5).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    gains = zip(APPROACHES, (0, 0.05, 0.1), strict=True)
    return {
        (approach, cohort): write_scores(folder / f"{approach}_{cohort}.csv", cohort, approach, gain)
        for approach, gain in gains
        for cohort in COHORTS
    }


TABLE = {"csv": ".csv", "markdown": ".md", "html": ".html", "latex": ".tex"}
AGAINST_PAPER = {
    "against_paper": "_against_paper.csv",
    "against_paper_markdown": "_against_paper.md",
    "against_paper_html": "_against_paper.html",
}
FALSE_POSITIVES = {
    "false_positives_csv": "_wrong.csv",
    "false_positives_markdown": "_wrong.md",
    "false_positives_html": "_wrong.html",
}


def files(folder, name, endings):
    return {kind: folder / f"{name}{ending}" for kind, ending in endings.items()}


def table1(folder, scores, name="table1", scoring="carried"):
    table, against_paper = (files(folder, name, endings) for endings in (TABLE, AGAINST_PAPER))
    write_table1(
        scores=[scores["baseline", cohort] for cohort in COHORTS],
        cohorts=COHORTS,
        baseline="baseline",
        scoring=scoring,
        significance=0.01,
        paper=PAPER / "table1.csv",
        table=list(table.values()),
        against_paper=list(against_paper.values()),
    )
    return table | against_paper


def table3(folder, scores, approaches=APPROACHES, name="table3"):
    parts = [files(folder, name, endings) for endings in (TABLE, AGAINST_PAPER, FALSE_POSITIVES)]
    table, against_paper, false_positives = (list(part.values()) for part in parts)
    write_table3(
        scores=[scores[approach, cohort] for approach in approaches for cohort in COHORTS],
        cohorts=COHORTS,
        approaches=approaches,
        baseline="baseline",
        candidates=list(APPROACHES),
        scoring="carried",
        significance=0.01,
        paper=PAPER / "table3.csv",
        table=table,
        against_paper=against_paper,
        false_positives=false_positives,
    )
    return parts[0] | parts[1] | parts[2]


def markdown_cells(path, row):
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", lines[row].strip("|"))]


def test_table_1_is_laid_out_as_in_the_paper(tmp_path, scores):
    path = table1(tmp_path, scores)["markdown"]
    assert markdown_cells(path, 0) == ["Dataset", "Label", "Base", "Middle", "Apex"]
    assert [markdown_cells(path, row)[:2] for row in (2, 3, 4, 5)] == [
        ["NHS", "LVBP"],
        ["", "LVM"],
        ["", "RVBP"],
        ["M&Ms", "LVBP"],
    ]


def test_the_cells_of_table_1_are_those_of_its_csv(tmp_path, scores):
    outputs = table1(tmp_path, scores)
    row = pd.read_csv(outputs["csv"]).iloc[0]
    assert markdown_cells(outputs["markdown"], 2)[2] == rf"{row['mean']:.2f}\*† ({row['sd']:.2f})"


def test_captions_state_numbers_test_and_star(tmp_path, scores):
    caption = table1(tmp_path, scores)["markdown"].read_text().splitlines()[0]
    assert r"\* p < 0.01 against the middle (Welch's t-test, slices taken as independent" in caption
    assert (
        "† p < 0.01 with patients as the unit (cluster jackknife), after Holm's correction within the table" in caption
    )
    assert "over the slices whose reference carries the label" in caption
    assert "NHS n = 10 patients, 30 slices" in caption


def test_table_1_follows_the_scoring_rule(tmp_path, scores):
    caption = table1(tmp_path, scores, scoring="all")["markdown"].read_text().splitlines()[0]
    assert "over all labelled slices" in caption


def test_html_has_the_stars_and_the_bold_cells_of_the_markdown(tmp_path, scores):
    outputs = table3(tmp_path, scores)
    markdown, html = outputs["markdown"].read_text(), outputs["html"].read_text()
    assert html.count("<b>") == markdown.count("**") / 2 > 0
    assert html.count("*") == markdown.count(r"\*")


def test_latex_escapes_titles(tmp_path, scores):
    text = table1(tmp_path, scores)["latex"].read_text()
    assert r"M\&Ms & LVBP" in text
    assert r"DSC (\%)" in text


def test_table_1_beside_the_papers_keeps_cohorts_that_we_lack(tmp_path, scores):
    beside = pd.read_csv(table1(tmp_path, scores)["against_paper"])
    acdc = beside[beside["cohort"] == "acdc"]
    assert len(acdc) == 9
    assert acdc["ours_mean"].isna().all()


def test_table_3_has_a_column_per_label_and_region_and_the_whole_heart(tmp_path, scores):
    header = markdown_cells(table3(tmp_path, scores)["markdown"], 0)
    assert header[:6] == ["Dataset", "Approach", "LVBP Base", "LVBP Middle", "LVBP Apex", "LVBP Whole heart"]
    assert len(header) == 2 + 3 * 4


def test_table_3_prints_the_largest_improvement_bold_and_starred(tmp_path, scores):
    outputs = table3(tmp_path, scores)
    changes = pd.read_csv(outputs["csv"]).query("cohort == 'nhs' and label == 'LVBP' and region == 'base'")
    mean, sd = (tables.number(changes.iloc[1][name]) for name in ("mean_difference", "sd_difference"))
    assert markdown_cells(outputs["markdown"], 3)[2] == rf"**{mean}\*† ({sd})**"
    assert r"\textbf{" + f"{mean}*\\textdagger{{}} ({sd})".replace("-", "$-$") + "}" in outputs["latex"].read_text()


def test_titles_cannot_break_a_markdown_table(tmp_path, scores):
    assert r"A\|B\_1" in table3(tmp_path, scores)["markdown"].read_text()


def test_table_3_beside_the_papers_says_whether_signs_agree(tmp_path, scores):
    beside = pd.read_csv(table3(tmp_path, scores)["against_paper"])
    key = ["cohort", "approach", "label", "region"]
    signs = beside.set_index(key)["same_sign"]
    assert signs["nhs", "sampling_high", "RVBP", "base"] == True  # noqa: E712
    assert signs["nhs", "sampling_high", "LVBP", "base"] == False  # noqa: E712
    assert np.isnan(signs["nhs", "classification", "RVBP", "base"])


def test_false_positives_are_tabled_by_region_with_the_non_cardiac(tmp_path, scores):
    wrong = pd.read_csv(table3(tmp_path, scores)["false_positives_csv"])
    found = wrong[(wrong["region"] == "non-cardiac") & (wrong["label"] == "LVM") & (wrong["cohort"] == "nhs")]
    assert found["rate"].tolist() == [0, 1, 1]


def test_the_baseline_alone_gives_an_empty_table_3(tmp_path, scores):
    outputs = table3(tmp_path, scores, approaches={"baseline": "Baseline"})
    assert pd.read_csv(outputs["csv"]).empty


def test_all_tables_repeat_byte_for_byte(tmp_path, scores):
    for write in (table1, table3):
        first, second = (write(tmp_path, scores, name=name) for name in ("first", "second"))
        assert [path.read_bytes() for path in first.values()] == [path.read_bytes() for path in second.values()]


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert tables.number(-0.001) == "0.00"


def test_an_undefined_mean_is_an_empty_cell():
    assert tables.mean_sd(np.nan, np.nan, "*") == ""
