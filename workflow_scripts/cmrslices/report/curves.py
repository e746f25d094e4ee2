"""Training curves: losses above, accuracy or pseudo-Dice below, a column per training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmrslices.presentation.figures import print_style, size_inches

COLUMNS = 4
BLOCK_MM = 62
LEGEND_MM = 8
FEW_EPOCHS = 30
"""A training of up to so many epochs has a mark at each epoch, because a single epoch draws no line."""


@dataclass(frozen=True)
class Line:
    """How a column of a training's table is drawn.

    Attributes
    ----------
    label : str
    colour : str
    style : str or tuple
        As Matplotlib names line styles.
    """

    label: str
    colour: str
    style: str | tuple[int, tuple[float, ...]] = "-"


LOSSES = {
    "train_loss": Line("training loss", "#0072B2"),
    "validation_loss": Line("validation loss", "#E69F00", (0, (4, 1.5))),
}


def draw_curves(
    trainings: Mapping[str, pd.DataFrame],
    measures: Mapping[str, Line],
    loss_name: str,
    measure_name: str,
    kept: Mapping[str, int] | None = None,
) -> Figure:
    """Draw every training.

    Parameters
    ----------
    trainings : dict of title to DataFrame
        epoch (from 1), the columns of `LOSSES` and those of `measures`.
    measures : dict of column to Line
        What the lower panels show, from 0 to 1.
    loss_name, measure_name : str
        Titles of the vertical axes.
    kept : dict of title to int, optional
        The epoch whose weights were kept; it is marked.
    """
    columns = min(len(trainings), COLUMNS)
    blocks = -(-len(trainings) // columns)
    with print_style():
        figure = Figure(figsize=size_inches(BLOCK_MM * blocks + LEGEND_MM))
        panels = figure.subplots(2 * blocks, columns, sharex=True, sharey="row", squeeze=False)
        upper, lower = panels[0::2], panels[1::2]
        for loss, measure, (title, table) in zip(upper.flat, lower.flat, trainings.items(), strict=False):
            _draw_lines(loss, table, LOSSES)
            _draw_lines(measure, table, measures)
            loss.set_title(title)
            measure.set(ylim=(0, 1), xlabel="Epoch")
            measure.tick_params(labelbottom=True)
            if kept:
                for panel in (loss, measure):
                    panel.axvline(kept[title], color="0.4", linewidth=0.7, linestyle=":")
        for panel in (*upper.flat[len(trainings) :], *lower.flat[len(trainings) :]):
            panel.set_visible(False)
        for loss, measure in zip(upper[:, 0], lower[:, 0], strict=True):
            loss.set_ylabel(loss_name)
            measure.set_ylabel(measure_name)
        _one_scale(list(upper.flat[: len(trainings)]))
        figure.align_ylabels(panels[:, 0])
        handles = [line for panel in (upper[0, 0], lower[0, 0]) for line in panel.get_legend_handles_labels()[0]]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handlelength=3)
    return figure


def _draw_lines(panel: Axes, table: pd.DataFrame, lines: Mapping[str, Line]) -> None:
    marker: dict[str, Any] = {"marker": ".", "markersize": 3} if len(table) <= FEW_EPOCHS else {}
    for column, line in lines.items():
        panel.plot(
            *(table["epoch"], table[column]),
            color=line.colour,
            linestyle=line.style,
            label=line.label,
            linewidth=0.6,
            **marker,
        )
    panel.grid(axis="y", color="0.9", linewidth=0.5)
    panel.set_axisbelow(True)
    panel.set_xlim(0, 1.02 * table["epoch"].max())
    panel.locator_params(axis="x", integer=True, nbins=4)


def _one_scale(panels: Sequence[Axes]) -> None:
    bottoms, tops = zip(*(panel.get_ylim() for panel in panels), strict=True)
    for panel in panels:
        panel.set_ylim(min(bottoms), max(tops))
