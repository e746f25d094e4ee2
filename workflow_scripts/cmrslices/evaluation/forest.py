"""Forest plot: gap and changes with their intervals, by region, label and approach, in one look."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cmrslices.evaluation.answers import ENDS, EVERYONE
from cmrslices.evaluation.cells import ALL_LABELS, LABEL_TITLES
from cmrslices.evaluation.statistics import LEVEL_OF_MARKS, REGION_TITLES
from cmrslices.labels import LABELS, REGIONS
from cmrslices.presentation import figures
from cmrslices.presentation.writing import Files

NAMES = ["scoring", "question", "cohort", "subgroup", "approach", "versus", "label", "region"]
ROWS = {ALL_LABELS: LABEL_TITLES[ALL_LABELS]} | {label: label for label in reversed(LABELS)}
"""Label to its name, from the lowest row to the highest."""
COLUMNS = {region: region for region in REGIONS} | REGION_TITLES
GAP_COLOUR = "0.25"
ROW_MM, BLOCK_MM = 3.4, 7.0


def write_forest(
    answers: str | Path,
    cohort: str,
    title: str,
    approaches: Mapping[str, str],
    scoring: str,
    margin: float,
    figure: Files,
) -> None:
    """Draw the forest plot of one cohort.

    Parameters
    ----------
    answers : path
        answers.csv.
    cohort, title : str
        The cohort's name and title.
    approaches : dict of name to title
        In the order of the legend.
    scoring : str
        The scoring rule of the answers that are shown.
    margin : float
        Drawn as a band, in points of DSC %.
    figure : Files
        To write.
    """
    shown = select(read_answers(answers), cohort, scoring)
    figures.write_figure(figure, f"Gap and changes, {title}", draw_forest(shown, title, approaches, margin))


def read_answers(path: str | Path) -> pd.DataFrame:
    """Read answers.csv; names are text, and an empty cell among numbers is missing."""
    numbers = dict.fromkeys(["low", "high", "p", "p_holm", "p_equivalent", "run_sd", "training_ratio"], "")
    return pd.read_csv(path, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=numbers)


def select(answers: pd.DataFrame, cohort: str, scoring: str) -> pd.DataFrame:
    """The rows of the forest plot: gaps and changes of one cohort under one scoring rule, of all patients."""
    found = answers[answers["question"].isin(["gap", "change"]) & (answers["cohort"].astype(str) == cohort)]
    found = found[(found["scoring"] == scoring) & (found["subgroup"] == EVERYONE)]
    return found[found["label"].isin(ROWS)]


def draw_forest(answers: pd.DataFrame, title: str, approaches: Mapping[str, str], margin: float) -> Figure:
    """A column per region; above, the baseline's gap by label; below, the change by every other approach.

    Parameters
    ----------
    answers : DataFrame
        As `select` gives them.
    title : str
        Of the cohort.
    approaches : dict of name to title
    margin : float
        In points of DSC %.

    Notes
    -----
    A point is the estimate, and its line the interval over patients. A full point remains different from 0 after Holm's
    correction (p < 0.05). Short strokes are the lowest and the highest run, where there are several.
    """
    changes = answers[answers["question"] == "change"]
    named = [name for name in approaches if name in set(changes["approach"])]
    looks = figures.looks(approaches)
    gap = answers[answers["question"] == "gap"]
    of_gap = dict.fromkeys(gap["approach"], (GAP_COLOUR, "o"))  # the baseline, unless the cohort has no ends
    heights = (ROW_MM * len(ROWS), ROW_MM * len(ROWS) * max(len(named), 3))  # room for the names of the axes
    with figures.print_style():
        figure = Figure(figsize=figures.size_inches(sum(heights) + 4 * BLOCK_MM))
        panels = figure.subplots(2, len(COLUMNS), sharex="row", sharey="row", height_ratios=heights)
        for region, (above, below) in zip(COLUMNS, panels.T, strict=True):
            below.set_title(COLUMNS[region])
            _draw_rows(below, changes[changes["region"] == region], named, looks, margin)
            if region in ENDS:
                above.set_title(COLUMNS[region])
                _draw_rows(above, gap[gap["region"] == region], list(of_gap), of_gap, margin)
            else:
                above.set_axis_off()
        panels[0, 0].set_ylabel("Gap: middle\nminus this end")
        panels[1, 0].set_ylabel(
            "Change: approach\nminus baseline" if len(named) < 4 else "Change: approach minus baseline"
        )
        for panel in panels[1]:
            panel.set_xlabel("points of DSC %")
        figure.suptitle(title, fontsize=figures.STYLE["axes.titlesize"])
        lines = [figures.legend_line(approaches[name], *looks[name]) for name in named]
        several = bool((answers["runs"] > 1).any())
        figures.legend_below(figure, _legend(lines, several=several, margin=margin))
    return figure


def _draw_rows(
    panel: Axes,
    answers: pd.DataFrame,
    approaches: list[str],
    looks: Mapping[str, tuple[str, str]],
    margin: float,
) -> None:
    """A row per label; in it, a line per approach."""
    lines = {name: line for line, name in enumerate(reversed(approaches))}
    panel.axvspan(-margin, margin, color="0.92", linewidth=0)
    panel.axvline(0, color="0.5", linewidth=0.6)
    for row, label in enumerate(ROWS):
        for _, found in answers[answers["label"] == label].iterrows():
            approach = found["approach"]
            height = row * (len(lines) + 0.6) + lines[approach]
            _draw_line(panel, found, height, *looks[approach])
    centres = [row * (len(lines) + 0.6) + (len(lines) - 1) / 2 for row in range(len(ROWS))]
    panel.set_yticks(centres, ROWS.values())
    panel.set_ylim(-0.8, centres[-1] + (len(lines) - 1) / 2 + 0.8)
    panel.tick_params(axis="y", length=0)
    for row in range(1, len(ROWS)):
        panel.axhline(row * (len(lines) + 0.6) - 0.8, color="0.85", linewidth=0.4)
    panel.grid(axis="x", color="0.9", linewidth=0.4)
    panel.set_axisbelow(True)


def _draw_line(panel: Axes, found: pd.Series, height: float, colour: str, marker: str) -> None:
    heights = [height, height]
    panel.plot(found[["low", "high"]].astype(float), heights, color=colour, linewidth=1.1)
    if found["runs"] > 1:
        runs = found[["lowest_run", "highest_run"]].astype(float)
        panel.plot(runs, heights, "|", color=colour, markersize=4, markeredgewidth=0.7)
    face = colour if found["p_holm"] < LEVEL_OF_MARKS else "white"
    point: dict[str, Any] = {"markersize": figures.MARKER_SIZE, "markeredgewidth": 0.9}
    panel.plot(found["estimate"], height, marker, color=colour, markerfacecolor=face, **point)


def _legend(lines: list[Line2D], several: bool, margin: float) -> list[Line2D]:
    """The approaches' lines, and after them what the marks say."""
    marks: dict[str, Any] = {"color": GAP_COLOUR, "linestyle": "", "markersize": figures.MARKER_SIZE}
    runs = [Line2D([], [], marker="|", label="lowest and highest run", **marks)] if several else []
    return [
        *lines,
        Line2D([], [], marker="o", label="holds after Holm's correction (p < 0.05)", **marks),
        Line2D([], [], marker="o", markerfacecolor="white", label="does not hold, or is not tested", **marks),
        *runs,
        Line2D([], [], color="0.88", linewidth=5, label=f"within ±{margin:g} point{'' if margin == 1 else 's'}"),
    ]
