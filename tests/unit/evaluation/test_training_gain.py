"""Training against gain: what is drawn of the answers, and where."""

import numpy as np
import pandas as pd
import pytest

from cmrslices.evaluation.training_gain import PLAIN as PLAIN_LOOK
from cmrslices.evaluation.training_gain import SPREAD, draw_training_gain, write_training_gain

APPROACHES = {"baseline": "Baseline", "long": "Long baseline", "remedy": "Remedy", "other": "Other remedy"}
PLAIN = ["baseline", "long"]
REGIONS = ["base", "middle", "apex", "all"]
RATIOS = {"long": 4.0, "remedy": 4.0, "other": 2.0}


def answers(gain=None, ratios=None):
    """Changes by a long baseline and two remedies; the labels' own differ from their mean."""
    gain = {"long": 3.0, "remedy": 1.0, "other": 2.0} | (gain or {})
    rows = [
        ("change", name, label, region, gain[name] + 50 * (label != "all"), ratio)
        for name, ratio in (RATIOS | (ratios or {})).items()
        for label in ("LVM", "all")
        for region in REGIONS
    ]
    table = pd.DataFrame(rows, columns=["question", "approach", "label", "region", "estimate", "training_ratio"])
    table = table.assign(low=table["estimate"] - 1, high=table["estimate"] + 1, versus="baseline")
    return table.assign(scoring="carried", cohort="acdc", subgroup="all")


def points(panel):
    """Colour to the place of every point."""
    drawn = [line for line in panel.get_lines() if line.get_marker() in "osD^"]
    return sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in drawn)


def joined(panel):
    """The places that a line joins, but for the interval of a single one."""
    lines = [line for line in panel.get_lines() if line.get_color() == PLAIN_LOOK[0]]
    (line,) = [line for line in lines if len(set(line.get_xdata())) > 1]
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def names(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_region_has_a_panel_with_the_mean_over_the_labels():
    figure = draw_training_gain(answers(), "ACDC", APPROACHES, PLAIN)
    assert [panel.get_title() for panel in figure.axes] == ["base", "middle", "apex", "whole heart"]
    for panel in figure.axes:
        assert sorted(y for _, y in points(panel)) == [0.0, 1.0, 2.0, 3.0]


def test_a_line_joins_the_plain_baselines_from_the_shortest_to_the_longest():
    table = pd.concat(
        [answers(), answers({"long": 1.5}, {"long": 2.0}).query("approach == 'long'").assign(approach="x")]
    )
    figure = draw_training_gain(table, "ACDC", APPROACHES | {"x": "Continued"}, [*PLAIN, "x"])
    assert joined(figure.axes[0]) == [(1.0, 0.0), (2.0, 1.5), (4.0, 3.0)]


def test_a_remedy_stands_beside_its_training_where_the_next_ones_do_not_reach():
    figure = draw_training_gain(answers(), "ACDC", APPROACHES, PLAIN)
    (other, remedy) = (x for x, y in points(figure.axes[0]) if y in (1.0, 2.0))
    assert 2 < other <= 2 * SPREAD
    assert 4 < remedy <= 4 * SPREAD


def test_many_remedies_of_equal_training_stay_near_it():
    many = {f"remedy {number}": 2.0 for number in range(20)}
    rows = [answers().query("approach == 'other'").assign(approach=name) for name in many]
    figure = draw_training_gain(pd.concat(rows), "ACDC", {"baseline": "", **dict.fromkeys(many, "")}, PLAIN)
    places = [x for x, y in points(figure.axes[0]) if y == 2.0]
    assert len(set(places)) == 20
    assert max(places) == pytest.approx(2 * SPREAD)


def test_an_approach_whose_training_is_not_known_is_left_out():
    figure = draw_training_gain(answers(ratios={"other": np.nan}), "ACDC", APPROACHES, PLAIN)
    assert names(figure) == ["plain baselines", "Remedy"]


def test_colours_are_those_of_the_forest_plot():
    figure = draw_training_gain(answers(), "ACDC", APPROACHES, PLAIN)
    remedy = figure.legends[0].get_lines()[1]
    assert remedy.get_color() == "#E69F00"  # the third of the approaches


def test_it_is_written_without_intervals_too(tmp_path):
    empty = {"low": np.nan, "high": np.nan, "p": np.nan, "p_holm": np.nan, "p_equivalent": np.nan, "run_sd": np.nan}
    answers().assign(**empty).to_csv(tmp_path / "answers.csv", index=False)
    files = [tmp_path / "gain.png", tmp_path / "gain.html"]
    write_training_gain(tmp_path / "answers.csv", "acdc", "ACDC", APPROACHES, PLAIN, "carried", files)
    assert all(file.stat().st_size > 1000 for file in files)
