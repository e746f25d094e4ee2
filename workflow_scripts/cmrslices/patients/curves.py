"""Curves of the volumes over the heart cycle: a small panel for each patient, with ED and ES marked."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmrslices.labels import PHASES
from cmrslices.presentation.figures import COLOURS, print_style, size_inches

COLUMNS = 6
ROW_MM, LEGEND_MM = 30, 16
MOST = 60
"""Panels of one figure; volumes.csv holds all patients."""

LINES = {"LVBP_ml": ("LVBP", COLOURS[0], "-"), "RVBP_ml": ("RVBP", COLOURS[4], (0, (4, 1.5)))}
LINES |= {"LVM_ml": ("LVM", COLOURS[3], (0, (1, 1)))}
TITLE_CHARACTERS = 20
ROOM = 1.2
"""The ml axis reaches so far beyond the largest volume, for the names of ED and ES above the curves."""


def draw_curves(cases: pd.DataFrame, people: pd.DataFrame, title: str) -> Figure:
    """Draw the volumes of every case, a panel for each of the first `MOST` patients; all panels share the ml axis.

    Parameters
    ----------
    cases : DataFrame
        As `cmrslices.patients.function.case_rows` gives them.
    people : DataFrame
        As `cmrslices.patients.function.patient_rows` gives them, in the order of the panels.
    title : str
        Of the cohort and the approach.
    """
    shown = people.head(MOST)
    rows = -(-len(shown) // COLUMNS)
    with print_style():
        figure = Figure(figsize=size_inches(ROW_MM * rows + LEGEND_MM))
        panels = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False)
        for panel, person in zip(panels.flat, shown.itertuples(), strict=False):
            _draw_panel(panel, cases[cases["patient"] == person.patient])
            ef = "unknown" if pd.isna(person.LVEF_percent) else f"{person.LVEF_percent:.0f} %"
            panel.set_title(f"{_shortened(person.patient)}\nLVEF {ef}", fontsize=6)
        for panel in panels.flat[len(shown) :]:
            panel.set_visible(False)
        for panel in panels[:, 0]:
            panel.set_ylabel("Volume (ml)")
        for panel in panels.flat[max(0, len(shown) - COLUMNS) : len(shown)]:
            panel.set_xlabel("Frame")
        panels[0, 0].set_ylim(0, ROOM * max(1.0, cases[list(LINES)].max(axis=None)))
        some = f", the first {len(shown)} of {len(people)} patients" if len(shown) < len(people) else ""
        figure.suptitle(title + some, fontsize=9)
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), handlelength=3)
    return figure


def _shortened(name: str) -> str:
    return name if len(name) <= TITLE_CHARACTERS else f"{name[: TITLE_CHARACTERS - 1]}…"


def _draw_panel(panel: Axes, cases: pd.DataFrame) -> None:
    """Draw one patient: frames in their order, or ED and ES beside each other where they are given."""
    given = cases["phase"].isin(PHASES).all()
    frames = range(len(cases))
    few: dict[str, Any] = {"marker": ".", "markersize": 4} if len(cases) < 3 else {}
    for column, (name, colour, style) in LINES.items():
        panel.plot(frames, cases[column], color=colour, linestyle=style, linewidth=0.9, label=name, **few)
    for frame, row in zip(frames, cases.itertuples(), strict=True):
        if row.chosen:
            panel.axvline(frame, color="0.6", linewidth=0.5, zorder=0)
            panel.plot(frame, row.LVBP_ml, "o", color=COLOURS[0], markersize=3)
            if not given:
                is_late = frame > len(cases) / 2
                panel.annotate(
                    *(row.chosen, (frame, 1)),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    xytext=(-1.5 if is_late else 1.5, -1),
                    ha="right" if is_late else "left",
                    va="top",
                    fontsize=5.5,
                )
    if given:
        panel.set_xticks(list(frames), cases["phase"])
        panel.set_xlim(-0.4, len(cases) - 0.6)
    else:
        panel.locator_params(axis="x", integer=True, nbins=5)
    panel.tick_params(labelsize=6, length=2)
