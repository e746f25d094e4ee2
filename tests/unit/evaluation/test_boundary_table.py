"""The table of the boundaries: which slices a cell is about, and what readers see."""

import numpy as np
import pandas as pd
import pytest

from cmrslices.evaluation.boundary_table import summarise_boundaries, write_boundary_table
from cmrslices.labels import LABELS

COHORTS = {"acdc": "ACDC", "mnms": "M&Ms"}
APPROACHES = {"baseline": "Baseline", "other": "Other_1"}
PLACE = {"cohort": "acdc", "approach": "baseline", "patient": "1", "phase": "ED", "position": 0.5}

# (slice, region, found, HD95 in mm, DSC) of the LVM; the HD is 1 mm larger and the ASSD half as large.
ROWS = [
    (0, "non-cardiac", "invented", np.nan, np.nan),
    (1, "base", "both", 2.0, 0.9),
    (2, "base", "both", 4.0, 0.8),
    (3, "base", "missed", np.nan, 0.0),
    (4, "middle", "both", 3.0, 0.9),
    (5, "apex", "invented", np.nan, np.nan),
]


def slices(rows=ROWS, **place):
    table = pd.DataFrame(rows, columns=["slice", "region", "found", "hd95_mm", "dsc"])
    table = table.assign(hd_mm=table["hd95_mm"] + 1, assd_mm=table["hd95_mm"] / 2, label="LVM")
    return table.assign(**PLACE, case="acdc_1_ED", reference_mm2=1.0, predicted_mm2=1.0).assign(**place)


def summary(rows=ROWS):
    table = summarise_boundaries(slices(rows), slices(rows))
    return table.set_index("region")


def test_distances_are_averaged_over_the_slices_in_which_both_carry_the_label():
    base = summary().loc["base"]
    assert base[["hd_mean_mm", "hd95_mean_mm", "assd_mean_mm"]].tolist() == [4, 3, 1.5]
    assert base[["hd_sd_mm", "hd95_sd_mm", "assd_sd_mm"]].tolist() == pytest.approx([2**0.5, 2**0.5, 0.5**0.5])


def test_missed_and_invented_labels_are_counted_beside_the_distances():
    table = summary()
    assert table.loc["base", ["both", "missed", "invented"]].tolist() == [2, 1, 0]
    assert table.loc["apex", ["both", "missed", "invented"]].tolist() == [0, 0, 1]


def test_the_penalised_mean_takes_50_mm_for_missed_and_invented_labels():
    table = summary()["hd95_penalised_mean_mm"]
    assert table["base"] == pytest.approx((2 + 4 + 50) / 3)
    assert table["apex"] == 50


def test_an_approach_that_misses_a_label_has_a_larger_penalised_mean_than_one_that_finds_it_badly():
    badly = [*ROWS[:3], (3, "base", "both", 30.0, 0.1), *ROWS[4:]]
    assert summary(badly).loc["base", "hd95_mean_mm"] > summary().loc["base", "hd95_mean_mm"]
    assert summary(badly).loc["base", "hd95_penalised_mean_mm"] < summary().loc["base", "hd95_penalised_mean_mm"]


def test_the_dsc_is_that_of_the_slices_whose_reference_carries_the_label():
    assert summary().loc["base", "dsc_mean"] == pytest.approx(100 * (0.9 + 0.8 + 0.0) / 3)


def test_the_whole_heart_has_the_slices_of_all_regions_and_no_non_cardiac_one():
    table = summary()
    assert table.loc["all", ["both", "missed", "invented"]].tolist() == [3, 1, 1]
    assert table.index.tolist() == ["base", "middle", "apex", "all"]


def test_a_region_without_slices_has_counts_of_zero_and_no_mean():
    table = summary(ROWS[:2])
    assert table.loc["middle", ["both", "missed", "invented"]].tolist() == [0, 0, 0]
    assert table.loc["middle", ["hd_mean_mm", "hd95_penalised_mean_mm", "dsc_mean"]].isna().all()


@pytest.fixture
def files(tmp_path):
    """Scores and distances of two cohorts and two approaches, and the files to write."""
    parts = [
        slices(cohort=cohort, approach=approach, label=label)
        for cohort in COHORTS
        for approach in APPROACHES
        for label in LABELS
    ]
    pd.concat(parts).to_csv(tmp_path / "slices.csv", index=False)
    table = [tmp_path / f"boundaries.{ending}" for ending in ("csv", "md", "tex", "html")]
    both = {name: [tmp_path / "slices.csv"] for name in ("boundaries", "scores")}
    write_boundary_table(**both, cohorts=COHORTS, approaches=APPROACHES, table=table)
    return {file.suffix: file.read_text() for file in table}


def cells(markdown):
    """Cells of the rows of a Markdown table, its header first."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_approaches_stand_below_each_other_in_each_region(files):
    header, *rows = cells(files[".md"])
    assert header[:7] == ["Dataset", "Label", "Region", "Approach", "Both", "Missed", "Invented"]
    assert [row[:4] for row in rows[:3]] == [
        ["ACDC", "LVBP", "base", "Baseline"],
        ["", "", "", r"Other\_1"],
        ["", "", "middle", "Baseline"],
    ]
    assert len(rows) == 2 * 3 * 4 * 2


def test_a_row_has_counts_means_and_sds(files):
    header, first, *_ = cells(files[".md"])
    assert dict(zip(header[4:], first[4:], strict=True)) == {
        "Both": "2",
        "Missed": "1",
        "Invented": "0",
        "DSC (%)": "56.67 (49.33)",
        "HD (mm)": "4.00 (1.41)",
        "HD95 (mm)": "3.00 (1.41)",
        "ASSD (mm)": "1.50 (0.71)",
        "HD95 with 50 mm": "18.67",
    }


@pytest.mark.parametrize("ending", [".md", ".tex", ".html"])
def test_the_caption_names_definition_version_unit_and_conventions(files, ending):
    text = files[ending].replace("&#x27;", "'")
    for part in (
        "distances in mm",
        "DeepMind's surface-distance 0.1",
        "in the plane",
        "counts as 50 mm",
        "Non-cardiac",
    ):
        assert part in text


def test_latex_breaks_the_table_over_pages_with_the_caption_on_the_first(files):
    text = files[".tex"]
    assert text.count("surface-distance 0.1") == 1
    assert r"\caption[]{Continued.}" in text
    assert text.startswith("% \\usepackage{booktabs,longtable}\n")
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") == 1
    assert r"M\&Ms & LVBP & base & Baseline" in text
    assert r"Other\_1" in text
    assert r"DSC (\%)" in text
