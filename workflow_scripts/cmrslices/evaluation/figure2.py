"""Figure 2: the DSC of every approach from base to apex."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmrslices.evaluation.profile import profiles, region_bounds
from cmrslices.evaluation.scores import read_scores
from cmrslices.labels import LABELS, REGIONS
from cmrslices.presentation import figures
from cmrslices.presentation.writing import Files

LINES = ("-", (0, (1, 1)), (0, (4, 1.5)), (0, (6, 1, 1, 1)), (0, (2.5, 1)))
HEIGHT_MM = 118
HEIGHTS = (6, 4, 1.6)


def write_figure2(
    scores: list[str], approaches: Mapping[str, str], points: int, figure: Files, csv: str | Path
) -> None:
    """Draw Figure 2 and write the numbers behind it.

    Parameters
    ----------
    scores : list of path
        The scores of every approach on the training cohort's test cases.
    approaches : dict of name to title
        In the order of the legend.
    points : int
        Positions from base to apex.
    figure : Files
        To write.
    csv : path
        To write: the numbers.
    """
    slices = read_scores(scores, approaches=approaches)
    table = profiles(slices, points)
    table.to_csv(csv, index=False, float_format="%.6g")
    figures.write_figure(figure, "Figure 2", draw_profiles(table, approaches, region_bounds(slices)))


def draw_profiles(table: pd.DataFrame, approaches: Mapping[str, str], bounds: tuple[float, float]) -> Figure:
    """A column per label: mean with its interval over patients, SD, and the number of cases; a line per approach.

    Parameters
    ----------
    table : DataFrame
        As `profiles` makes it.
    approaches : dict of name to title
    bounds : tuple of float
        Positions of the bounds of the middle region.
    """
    with figures.print_style():
        figure = Figure(figsize=figures.size_inches(HEIGHT_MM))
        panels = figure.subplots(len(HEIGHTS), len(LABELS), sharex=True, sharey="row", height_ratios=HEIGHTS)
        for label, (mean, spread, count) in zip(LABELS, panels.T, strict=True):
            part = table[table["label"] == label]
            _draw_lines(mean, part, "mean", approaches)
            _draw_lines(spread, part, "sd", approaches)
            _draw_cases(count, part)
            mean.set_title(label, pad=12)
            _name_regions(mean, bounds)
            count.set(xlim=(0, 1), xticks=(0, 0.25, 0.5, 0.75, 1), xticklabels=("0", "0.25", "0.5", "0.75", "1"))
            count.set_xlabel("Position (0 base, 1 apex)")
        for panel in panels.flat:
            _mark_regions(panel, bounds)
        for panel, name in zip(panels[:, 0], ("Mean DSC (%)", "SD of the DSC (%)", "Cases"), strict=True):
            panel.set_ylabel(name)
        for panel in panels[:, 0]:
            panel.set_ylim(bottom=0)
        figure.align_ylabels(panels[:, 0])
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=3.5)
    return figure


def _draw_lines(panel: Axes, table: pd.DataFrame, value: str, approaches: Mapping[str, str]) -> None:
    styles = zip(itertools.cycle(figures.COLOURS), itertools.cycle(LINES), strict=False)
    for (approach, title), (colour, line) in zip(approaches.items(), styles, strict=False):
        part = table[table["approach"] == approach]
        if value == "mean":
            panel.fill_between(part["position"], part["low"], part["high"], color=colour, alpha=0.12, linewidth=0)
        panel.plot(part["position"], part[value], color=colour, linestyle=line, linewidth=1.3, label=title)
    panel.grid(axis="y", color="0.9", linewidth=0.5)
    panel.set_axisbelow(True)


def _draw_cases(panel: Axes, table: pd.DataFrame) -> None:
    cases = table.drop_duplicates("position")
    panel.fill_between(cases["position"], cases["cases"], step="mid", color="0.8", linewidth=0)


def _mark_regions(panel: Axes, bounds: tuple[float, float]) -> None:
    for bound in bounds:
        panel.axvline(bound, color="0.6", linewidth=0.5, linestyle=":")


def _name_regions(panel: Axes, bounds: tuple[float, float]) -> None:
    edges = (0, *bounds, 1)
    for region, (left, right) in zip(REGIONS, itertools.pairwise(edges), strict=True):
        centre, above = (left + right) / 2, 1.015
        panel.text(centre, above, region, transform=panel.get_xaxis_transform(), ha="center", fontsize=6, color="0.4")
