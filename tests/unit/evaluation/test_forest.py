"""Forest plot: what is drawn of the answers, and how."""

import numpy as np
import pandas as pd
import pytest

from cmrslices.evaluation.forest import draw_forest, read_answers, select, write_forest

APPROACHES = {"baseline": "Baseline", "other": "Other way"}


def answers(**change):
    """A gap of 20 points at both ends and a change of 5 in all regions, for all labels and patients."""
    rows = [
        ("gap", "baseline", "", label, region, 20.0)
        for label in ("LVBP", "LVM", "RVBP", "all")
        for region in ("base", "apex")
    ] + [
        ("change", "other", "baseline", label, region, 5.0)
        for label in ("LVBP", "LVM", "RVBP", "all")
        for region in ("base", "middle", "apex", "all")
    ]
    table = pd.DataFrame(rows, columns=["question", "approach", "versus", "label", "region", "estimate"])
    table = table.assign(low=table["estimate"] - 2, high=table["estimate"] + 2, p_holm=0.01)
    table = table.assign(scoring="carried", cohort="acdc", subgroup="all", runs=1, patients=20)
    return table.assign(lowest_run=table["estimate"], highest_run=table["estimate"]).assign(**change)


def panels(figure):
    """Titles of the panels that show something."""
    return [axes.get_title() for axes in figure.axes if axes.axison]


def points(figure):
    """Position, and whether it is full, of every estimate."""
    return [
        (float(line.get_xdata()[0]), line.get_markerfacecolor() != "white")
        for axes in figure.axes
        for line in axes.get_lines()
        if line.get_marker() == "o"
    ]


def test_the_gap_is_shown_at_the_ends_and_the_change_everywhere():
    figure = draw_forest(answers(), "ACDC", APPROACHES, margin=1.0)
    assert sorted(panels(figure)) == sorted(["base", "apex", "base", "middle", "apex", "whole heart"])
    assert sorted(x for x, _ in points(figure)) == [5.0] * 16 + [20.0] * 8


@pytest.mark.parametrize(("p", "full"), [(0.04, True), (0.06, False), (np.nan, False)])
def test_a_point_is_full_where_it_holds_after_correction(p, full):
    found = points(draw_forest(answers(p_holm=p), "ACDC", APPROACHES, margin=1.0))
    assert {was_full for _, was_full in found} == {full}


def test_seeds_are_told_where_there_are_several():
    def legend(table):
        figure = draw_forest(table, "ACDC", APPROACHES, margin=1.0)
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert "lowest and highest run" not in legend(answers())
    assert "lowest and highest run" in legend(answers(runs=3, lowest_run=1.0, highest_run=9.0))


@pytest.mark.parametrize("change", [{"scoring": "union"}, {"cohort": "mnms"}, {"subgroup": "phase ED"}])
def test_other_rules_cohorts_and_groups_are_not_drawn(change):
    assert select(answers(**change), "acdc", "carried").empty


def test_approaches_of_one_colour_have_other_markers():
    names = ["baseline", *(f"way {number}" for number in range(7))]
    rows = [answers().query("question == 'change'").assign(approach=name) for name in names[1:]]
    figure = draw_forest(
        pd.concat([answers().query("question == 'gap'"), *rows]), "ACDC", dict.fromkeys(names, "A way"), 1.0
    )
    lines = figure.legends[0].get_lines()[:7]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 7


def test_a_cohort_without_ends_has_changes_only():
    table = answers()
    figure = draw_forest(table[table["region"] == "middle"], "ACDC", APPROACHES, margin=1.0)
    assert [x for x, _ in points(figure)] == [5.0] * 4


def test_a_cohort_named_na_is_found_in_the_file(tmp_path):
    answers(cohort="NA").to_csv(tmp_path / "answers.csv", index=False)
    assert len(select(read_answers(tmp_path / "answers.csv"), "NA", "carried")) == 24


def test_it_is_written_without_intervals_too(tmp_path):
    answers(low=np.nan, high=np.nan, p_holm=np.nan).to_csv(tmp_path / "answers.csv", index=False)
    files = [tmp_path / "forest.png", tmp_path / "forest.html"]
    write_forest(tmp_path / "answers.csv", "acdc", "ACDC", APPROACHES, "carried", 1.0, files)
    assert all(file.stat().st_size > 1000 for file in files)
