"""Training against gain: what every approach changes beside a plain baseline that was trained as long."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from cmrslices.evaluation.cells import ALL_LABELS
from cmrslices.evaluation.forest import COLUMNS, read_answers, select
from cmrslices.presentation import figures
from cmrslices.presentation.writing import Files

PLAIN = ("0.25", "o")
"""Colour and marker of the plain approaches."""
PANEL_MM = 60.0
STEP, SPREAD = 1.05, 1.2
"""Remedies of equal training stand beside each other: each by a factor to the right, all within another factor."""


def write_training_gain(
    answers: str | Path,
    cohort: str,
    title: str,
    approaches: Mapping[str, str],
    plain: Sequence[str],
    scoring: str,
    figure: Files,
) -> None:
    """Draw training against gain for one cohort.

    Parameters
    ----------
    answers : path
        answers.csv.
    cohort, title : str
        The cohort's name and title.
    approaches : dict of name to title
        In the order of the legend.
    plain : sequence of str
        Approaches that send all slices to one default network with uniform sampling.
    scoring : str
        The scoring rule of the answers that are shown.
    figure : Files
        To write.
    """
    drawn = draw_training_gain(select(read_answers(answers), cohort, scoring), title, approaches, plain)
    figures.write_figure(figure, f"Training against gain, {title}", drawn)


def draw_training_gain(
    answers: pd.DataFrame, title: str, approaches: Mapping[str, str], plain: Sequence[str]
) -> Figure:
    """A panel per region: slices seen in training against the change of the DSC, mean over the labels.

    Parameters
    ----------
    answers : DataFrame
        As `forest.select` gives them. Approaches whose training is not known in slices are left out.
    title : str
        Of the cohort.
    approaches : dict of name to title
    plain : sequence of str
        Approaches that send all slices to one default network with uniform sampling; the baseline is one of them.

    Notes
    -----
    The line joins the plain approaches. A remedy above it gains more than training as long does; one that lies below
    gains less. A point is the estimate, and its line the interval over patients.
    """
    changes = answers[(answers["question"] == "change") & (answers["label"] == ALL_LABELS)]
    changes = changes.dropna(subset="training_ratio")
    shown = [name for name in approaches if name in set(changes["approach"])]
    remedies = {name: look for name, look in figures.looks(approaches).items() if name in shown and name not in plain}
    with figures.print_style():
        figure = Figure(figsize=figures.size_inches(2 * PANEL_MM))
        panels = figure.subplots(2, 2, sharex=True)
        for panel, (region, name) in zip(panels.flat, COLUMNS.items(), strict=True):
            panel.set_title(name)
            _draw_region(panel, changes[changes["region"] == region], plain, remedies)
        for panel in panels[1]:
            panel.set_xlabel("slices seen in training, times the baseline's")
        for panel in panels[:, 0]:
            panel.set_ylabel("change against the\nbaseline, points of DSC %")
        figure.suptitle(title, fontsize=figures.STYLE["axes.titlesize"])
        of_remedies = [figures.legend_line(approaches[name], *look) for name, look in remedies.items()]
        figures.legend_below(figure, [figures.legend_line("plain baselines", *PLAIN), *of_remedies])
    return figure


def _draw_region(
    panel: Axes, changes: pd.DataFrame, plain: Sequence[str], remedies: Mapping[str, tuple[str, str]]
) -> None:
    """The line of the plain approaches, which starts at the baseline, and a point for each remedy."""
    panel.axhline(0, color="0.5", linewidth=0.6)
    of_plain = changes[changes["approach"].isin(plain)].sort_values("training_ratio")
    panel.plot([1, *of_plain["training_ratio"]], [0, *of_plain["estimate"]], color=PLAIN[0], linewidth=1.1)
    panel.plot(1, 0, PLAIN[1], color=PLAIN[0], markersize=figures.MARKER_SIZE)
    for _, found in of_plain.iterrows():
        _draw_point(panel, found, found["training_ratio"], *PLAIN)
    for _, equal in changes[changes["approach"].isin(remedies)].groupby("training_ratio"):
        step = min(STEP, SPREAD ** (1 / len(equal)))
        for place, (_, found) in enumerate(equal.iterrows(), start=1):
            _draw_point(panel, found, found["training_ratio"] * step**place, *remedies[found["approach"]])
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter("\N{MULTIPLICATION SIGN}{x:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.grid(color="0.9", linewidth=0.4)
    panel.set_axisbelow(True)


def _draw_point(panel: Axes, found: pd.Series, place: float, colour: str, marker: str) -> None:
    panel.plot([place, place], found[["low", "high"]].astype(float), color=colour, linewidth=0.9)
    panel.plot(place, found["estimate"], marker, color=colour, markersize=figures.MARKER_SIZE)
