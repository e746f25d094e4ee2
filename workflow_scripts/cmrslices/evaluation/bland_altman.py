"""Bland-Altman pictures of cardiac function: difference against mean of every patient, a page for each cohort."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmrslices.cohorts.tables import read_cases
from cmrslices.evaluation.function import patient_function, regional_volumes, with_volumes
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.volume_agreement import volume_agreement
from cmrslices.function import QUANTITIES
from cmrslices.presentation import figures
from cmrslices.presentation.paper import read_paper
from cmrslices.presentation.writing import Files

SHOWN = ("LVEDV", "LVESV", "LVEF", "LV mass", "RVEDV", "RVESV", "RVEF")
HEIGHT_MM = 240
TITLE_CHARACTERS = 22
POINT, LINE, ZERO = "#0072B2", "#D55E00", "0.6"
HUMAN = "inter-reader error"
"""The measure of the published errors that stands beside each row."""


def write_bland_altman(
    scores: list[str],
    cases: str | Path,
    cohort: str,
    title: str,
    approaches: Mapping[str, str],
    literature: str | Path,
    figure: Files,
) -> None:
    """Draw the Bland-Altman page of a cohort.

    Parameters
    ----------
    scores : list of path
        The scores of every approach on the cohort.
    cases : path
        The cohort's cases.csv.
    cohort, title : str
        Its name and its title.
    approaches : dict of name to title
        In the order of the columns.
    literature : path
        Published errors; the human inter-reader error stands beside the rows.
    figure : Files
        To write.

    Raises
    ------
    InputError
        See `with_volumes`.
    """
    slices = with_volumes(read_scores(scores, [cohort], approaches), {cohort: read_cases(cases)})
    published = read_paper(literature)
    human = published[published["measure"] == HUMAN]
    function = patient_function(regional_volumes(slices))
    figures.write_figure(figure, f"Bland-Altman, {title}", draw_bland_altman(function, approaches, human, title))


def draw_bland_altman(function: pd.DataFrame, approaches: Mapping[str, str], human: pd.DataFrame, title: str) -> Figure:
    """A row per quantity and a column per approach; the panels of a row share their axes.

    Parameters
    ----------
    function : DataFrame
        Of one cohort, as `patient_function` gives it.
    approaches : dict of name to title
    human : DataFrame
        quantity, value and source of published inter-reader errors; the value stands below the name of its quantity.
    title : str
        Of the cohort.
    """
    agreement = volume_agreement(function).set_index(["quantity", "approach"])
    errors = dict(zip(human["quantity"], human["value"], strict=True))
    with figures.print_style():
        figure = Figure(figsize=figures.size_inches(HEIGHT_MM))
        panels = figure.subplots(len(SHOWN), len(approaches), sharex="row", sharey="row", squeeze=False)
        for row, quantity in zip(panels, SHOWN, strict=True):
            for panel, approach in zip(row, approaches, strict=True):
                part = function[(function["quantity"] == quantity) & (function["approach"] == approach)]
                _draw_panel(panel, part.dropna(subset=["reference", "predicted"]))
                _draw_agreement(panel, agreement.loc[(quantity, approach)])
            # Room for the numbers above the points.
            low, high = row[0].get_ylim()
            row[0].set_ylim(low, high + 0.3 * (high - low))
            row[0].set_ylabel(_row_name(quantity, errors), linespacing=1.3)
        for panel, name in zip(panels[0], approaches.values(), strict=True):
            panel.set_title(textwrap.fill(name, TITLE_CHARACTERS), fontsize=7, pad=6)
        figure.align_ylabels(panels[:, 0])
        figure.suptitle(title, fontsize=9)
        figure.supylabel("Prediction \N{MINUS SIGN} reference", fontsize=7.5)
        for panel in panels[-1]:
            panel.set_xlabel("Mean of the two")
        sources = f"human: {HUMAN} ({'; '.join(human['source'].unique())})" if len(human) else None
        handles, names = _legend(panels)
        figure.legend(
            handles, names, loc="outside lower center", ncols=4, handlelength=2.5, title=sources, title_fontsize=6
        )
    return figure


def _draw_panel(panel: Axes, patients: pd.DataFrame) -> None:
    mean = (patients["reference"] + patients["predicted"]) / 2
    panel.axhline(0, color=ZERO, linewidth=0.5, label="no difference")
    panel.scatter(
        mean,
        patients["predicted"] - patients["reference"],
        s=6,
        color=POINT,
        alpha=0.6,
        linewidth=0,
        label="a patient",
    )
    panel.tick_params(labelsize=6, length=2)
    panel.locator_params(axis="both", nbins=4)


def _draw_agreement(panel: Axes, found: pd.Series) -> None:
    if found["patients"]:
        panel.axhline(found["bias"], color=LINE, linewidth=1, label="bias")
    if pd.isna(found["low"]):
        numbers = f"{found['bias']:z.1f}, n = {found['patients']}: no limits" if found["patients"] else "no patient"
    else:
        for bound in (found["low"], found["high"]):
            panel.axhline(bound, color=LINE, linewidth=0.8, linestyle=(0, (4, 2)), label="95 % limits of agreement")
        numbers = f"{found['bias']:z.1f} ({found['low']:z.1f} to {found['high']:z.1f})"
    numbers = numbers.replace("-", "\N{MINUS SIGN}")
    panel.text(0.5, 0.99, numbers, transform=panel.transAxes, ha="center", va="top", fontsize=5.5)


def _row_name(quantity: str, errors: Mapping[str, str]) -> str:
    name = f"{quantity} ({QUANTITIES[quantity]})"
    return f"{name}\nhuman: {errors[quantity]}" if quantity in errors else name


def _legend(panels: np.ndarray) -> tuple[list[Artist], list[str]]:
    """A handle and a name of everything that is drawn in any panel."""
    found: dict[str, Artist] = {}
    for panel in panels.flat:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    return list(found.values()), list(found)
