"""Slices with reference and prediction laid over the image."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cmrslices.labels import LABELS
from cmrslices.presentation.figures import print_style, size_inches
from cmrslices.runtime.nifti import read_volume

# Colours of Okabe and Ito, which colour-blind people can tell apart; these three are also seen well on grey.
COLOURS = {"LVBP": "#D55E00", "LVM": "#F0E442", "RVBP": "#56B4E9"}
FILL = 0.35
COLUMNS = 6
PANEL_MM = 37
HEADING_MM = 10
LEGEND_MM = 8
MARGIN_MM = 12
"""Margin around the labels in the square that a panel shows."""
SMALLEST_MM = 80
"""Smallest side of that square."""
WIDEST = 1.5
"""How many times as large predictions outside the reference may make it."""
TITLE_CHARACTERS = 20


@dataclass(frozen=True)
class Slice:
    """One slice with what is laid over it.

    Attributes
    ----------
    heading : str
    image : array, shape (rows, columns)
    pixel_mm : tuple of float
        Height and width of a pixel.
    reference : array of the image's shape
        With the values of `LABELS`.
    predictions : dict of title to array of the image's shape
        Each has a panel.
    dsc : dict of title to dict of label to float
        NaN where the reference does not carry the label.
    """

    heading: str
    image: np.ndarray
    pixel_mm: tuple[float, float]
    reference: np.ndarray
    predictions: Mapping[str, np.ndarray]
    dsc: Mapping[str, Mapping[str, float]]


def read_slice(path: str | Path, number: int) -> tuple[np.ndarray, tuple[float, float]]:
    """One slice of a volume, and its pixels' height and width in mm."""
    volume = read_volume(path)
    width_mm, height_mm, _ = volume.spacing_mm.tolist()
    return volume.voxels[number].copy(), (height_mm, width_mm)


def shown_square(slice_: Slice) -> tuple[float, float, float]:
    """Find the square to show: its centre (across, down) and its side, in mm from the image's corner.

    It is centred on the reference and holds it. It grows to hold the predictions, too, up to `WIDEST` times its side.
    """
    start_mm, end_mm = _box_mm(slice_.reference > 0, slice_.pixel_mm)
    centre = (start_mm + end_mm) / 2
    side_mm = max(SMALLEST_MM, (end_mm - start_mm).max() + 2 * MARGIN_MM)
    labelled = np.any([slice_.reference, *slice_.predictions.values()], axis=0)
    to_predictions_mm = np.abs(np.array(_box_mm(labelled, slice_.pixel_mm)) - centre).max()
    side_mm = np.clip(2 * (to_predictions_mm + MARGIN_MM), side_mm, WIDEST * side_mm)
    return float(centre[0]), float(centre[1]), float(side_mm)


def _box_mm(labelled: np.ndarray, pixel_mm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    down, across = np.nonzero(labelled)
    first = np.array([across.min(), down.min()])
    last = np.array([across.max(), down.max()]) + 1
    return first * pixel_mm[::-1], last * pixel_mm[::-1]


def draw_slices(slices: Sequence[Slice]) -> Figure:
    """A block of panels per slice: the image alone, then the reference and each prediction over it.

    The prediction is filled, the reference outlined, in the colour of the label.
    """
    blocks = [-(-(len(slice_.predictions) + 1) // COLUMNS) for slice_ in slices]
    heights = [HEADING_MM + PANEL_MM * rows for rows in blocks]
    with print_style():
        figure = Figure(figsize=size_inches(sum(heights) + LEGEND_MM))
        parts = figure.subfigures(len(slices) + 1, 1, squeeze=False, height_ratios=[*heights, LEGEND_MM]).ravel()
        for part, slice_, rows in zip(parts, slices, blocks, strict=False):
            _draw_block(part, slice_, rows)
        outline = [Line2D([], [], color="0.3", linewidth=1, label="reference")]
        fill = [Patch(color="0.3", alpha=FILL, linewidth=0, label="prediction")]
        labels = [Patch(color=colour, label=label) for label, colour in COLOURS.items()]
        parts[-1].legend(handles=[*outline, *fill, *labels], loc="center", ncols=5)
    return figure


def _draw_block(part: SubFigure, slice_: Slice, rows: int) -> None:
    part.suptitle(slice_.heading, x=0.01, ha="left", fontsize=7.5, fontweight="bold")
    panels = part.subplots(rows, COLUMNS, squeeze=False).ravel()
    for panel in panels[len(slice_.predictions) + 1 :]:
        panel.set_visible(False)
    _draw_image(panels[0], slice_)
    panels[0].set_title("Image", fontsize=6.5)
    for panel, (title, prediction) in zip(panels[1:], slice_.predictions.items(), strict=False):
        _draw_image(panel, slice_)
        _draw_labels(panel, slice_, prediction)
        panel.set_title("\n".join(textwrap.wrap(title, TITLE_CHARACTERS)), fontsize=6.5)
        panel.set_xlabel(_dsc_text(slice_.dsc[title]), fontsize=5.5, labelpad=2)


def _extent(slice_: Slice) -> tuple[float, float, float, float]:
    rows, columns = slice_.image.shape
    return 0, columns * slice_.pixel_mm[1], rows * slice_.pixel_mm[0], 0


def _draw_image(panel: Axes, slice_: Slice) -> None:
    across, down, side_mm = shown_square(slice_)
    dark, bright = np.percentile(slice_.image, (1, 99.5))
    panel.imshow(slice_.image, cmap="gray", vmin=dark, vmax=bright, extent=_extent(slice_), interpolation="bilinear")
    panel.set(xlim=(across - side_mm / 2, across + side_mm / 2), ylim=(down + side_mm / 2, down - side_mm / 2))
    panel.set(xticks=[], yticks=[], facecolor="black")
    panel.spines[:].set_visible(False)


def _draw_labels(panel: Axes, slice_: Slice, prediction: np.ndarray) -> None:
    colours = np.zeros((*prediction.shape, 4))
    for label, value in LABELS.items():
        colours[prediction == value] = to_rgba(COLOURS[label], FILL)
    panel.imshow(colours, extent=_extent(slice_), interpolation="nearest")
    rows, columns = prediction.shape
    down_mm, across_mm = ((np.arange(n) + 0.5) * mm for n, mm in zip((rows, columns), slice_.pixel_mm, strict=True))
    for label in ("LVM", "RVBP", "LVBP"):  # LVBP last: its outline covers the inner one of LVM
        mask = slice_.reference == LABELS[label]
        if mask.any():
            panel.contour(across_mm, down_mm, mask, [0.5], colors=COLOURS[label], linewidths=0.8)


def _dsc_text(dsc: Mapping[str, float]) -> str:
    parts = (f"{label} {'-' if np.isnan(dsc[label]) else f'{100 * dsc[label]:.0f}'}" for label in LABELS)
    return "   ".join(parts)
