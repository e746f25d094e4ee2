"""The reliability diagram: how often a network is right, by how sure it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmrslices.presentation.figures import COLOURS, print_style, size_inches

COLUMNS = 4
ROW_HEIGHT_MM = 62
FEW = 10
"""Bins with fewer slices are drawn as open markers."""
STYLES = {"before": ("0.45", "o", "before calibration"), "after": (COLOURS[0], "s", "after calibration")}
"""State to colour, marker and name in the legend."""


def draw_reliability(bins: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Draw a panel per network: accuracy against confidence by bin, above the number of slices of each bin.

    The bars of each panel have a scale of their own; their numbers are written above them.

    Parameters
    ----------
    bins : dict of str to dict of str to DataFrame
        Title of each network to its bins, ``before`` and ``after`` calibration: ``low``, ``slices``, ``confidence`` and
        ``accuracy``.
    """
    columns = min(len(bins), COLUMNS)
    rows = -(-len(bins) // columns)
    with print_style():
        figure = Figure(figsize=size_inches(ROW_HEIGHT_MM * rows + 8), layout="constrained")
        ratios = [3, 1.2] * rows
        panels = figure.subplots(2 * rows, columns, squeeze=False, sharex=True, height_ratios=ratios)
        for panel in panels.flat:
            panel.set_visible(False)
        for index, (title, states) in enumerate(bins.items()):
            row, column = divmod(index, columns)
            above, below = panels[2 * row, column], panels[2 * row + 1, column]
            _draw_curves(above, states)
            _draw_counts(below, states)
            above.set_title(title)
            last = index + columns >= len(bins)
            below.tick_params(labelbottom=last)
            below.set_xlabel("Confidence" if last else "")
            for panel, name in ((above, "Accuracy"), (below, "Slices")):
                panel.set_visible(True)
                panel.tick_params(labelleft=column == 0)
                panel.set_ylabel(name if column == 0 else "")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_curves(panel: Axes, states: Mapping[str, pd.DataFrame]) -> None:
    panel.plot([0, 1], [0, 1], color="0.8", linewidth=0.8, label="as often right as it says")
    for state, table in states.items():
        colour, marker, name = STYLES[state]
        filled = table[table["slices"] > 0]
        many = filled["slices"] >= FEW
        about: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3, "linestyle": ""}
        panel.plot(filled["confidence"], filled["accuracy"], color=colour, linewidth=0.8)
        panel.plot(filled["confidence"][~many], filled["accuracy"][~many], markerfacecolor="w", **about)
        panel.plot(filled["confidence"][many], filled["accuracy"][many], label=name, **about)
    panel.set(xlim=(0.2, 1.01), ylim=(-0.02, 1.02))


def _draw_counts(panel: Axes, states: Mapping[str, pd.DataFrame]) -> None:
    """Two narrow bars in each bin, each with its number above it."""
    for place, (state, table) in enumerate(states.items()):
        width = 1 / len(table)
        filled = table[table["slices"] > 0]
        middles = filled["low"] + width * (0.27 + 0.46 * place)
        colour = STYLES[state][0]
        panel.bar(middles, filled["slices"], width=0.44 * width, color=colour)
        for middle, count in zip(middles, filled["slices"], strict=True):
            panel.text(middle, count, f" {count}", fontsize=4.5, rotation=90, ha="center", va="bottom", color=colour)
    largest = max(table["slices"].max() for table in states.values())
    panel.set(xlim=(0.2, 1.01), ylim=(0, 1.7 * largest), xticks=np.arange(0.2, 1.01, 0.2), yticks=[])
