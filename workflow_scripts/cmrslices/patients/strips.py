"""A patient at one look: the stack at each phase as a strip from base to apex, with the labels outlined."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cmrslices.labels import LABELS
from cmrslices.presentation.figures import MM_PER_INCH, WIDTH_MM, print_style
from cmrslices.report.overlays import COLOURS

MARGIN_MM = 15
"""Around all labels of the patient, in the square that is shown of each slice."""
SMALLEST_MM = 100
"""Smallest side of that square."""
TITLE_MM = 4
BEHIND_NUMBERS = {"facecolor": "black", "alpha": 0.5, "pad": 0.6, "linewidth": 0}
FLAG_COLOUR = "#CC79A7"


class Strip(NamedTuple):
    """One stack.

    Attributes
    ----------
    title : str
    image, labels : arrays, shape (slices, rows, columns)
    spacing_mm : array, shape (3,)
        Along x, y and z.
    flagged : collection of int
        Slices to frame.
    """

    title: str
    image: np.ndarray
    labels: np.ndarray
    spacing_mm: np.ndarray
    flagged: Collection[int]


def draw_strips(strips: Sequence[Strip], columns: int) -> Figure:
    """Draw the strips of a patient below each other; every slice shows the same square in mm.

    Parameters
    ----------
    strips : sequence of Strip
    columns : int
        Places for slices in a row. A longer strip goes on in the next row; a shorter one leaves some empty, so that the
        pictures of all patients are equally wide.
    """
    panel_mm = WIDTH_MM / columns
    square = square_mm(strips)
    rows = [(strip, first) for strip in strips for first in range(0, len(strip.image), columns)]
    height_mm = len(rows) * panel_mm + len(strips) * TITLE_MM
    top_mm = height_mm
    with print_style():
        figure = Figure(figsize=(WIDTH_MM / MM_PER_INCH, height_mm / MM_PER_INCH))
        figure.set_layout_engine("none")
        for strip, first in rows:
            top_mm -= panel_mm + (TITLE_MM if first == 0 else 0)
            part = slice(first, min(first + columns, len(strip.image)))
            width = (part.stop - first) / columns
            panel = figure.add_axes((0, top_mm / height_mm, width, panel_mm / height_mm))
            _draw_row(panel, strip, part, square)
            if first == 0:
                panel.set_title(strip.title, loc="left", fontsize=6.5, pad=2)
    return figure


def square_mm(strips: Sequence[Strip]) -> tuple[float, float, float]:
    """Find the square to show: its centre (across, down) and its side, in mm from the images' corner.

    It holds all labels of all strips. Without any label, it is in the middle of the image.
    """
    boxes = [box for strip in strips if (box := _box_mm(strip)) is not None]
    if not boxes:
        shape_mm = np.array(strips[0].image.shape[:0:-1]) * strips[0].spacing_mm[:2]
        return float(shape_mm[0] / 2), float(shape_mm[1] / 2), float(shape_mm.min())
    start, end = np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)
    centre = (start + end) / 2
    return float(centre[0]), float(centre[1]), float(max(SMALLEST_MM, (end - start).max() + 2 * MARGIN_MM))


def _box_mm(strip: Strip) -> tuple[np.ndarray, np.ndarray] | None:
    down, across = np.nonzero(strip.labels.any(axis=0))
    if not len(down):
        return None
    first, last = np.array([across.min(), down.min()]), np.array([across.max(), down.max()]) + 1
    return first * strip.spacing_mm[:2], last * strip.spacing_mm[:2]


def _draw_row(panel: Axes, strip: Strip, part: slice, square: tuple[float, float, float]) -> None:
    image, labels = (_side_by_side(volume[part], strip.spacing_mm, square) for volume in (strip.image, strip.labels))
    slices, (rows, columns) = part.stop - part.start, image.shape
    dark, bright = np.percentile(strip.image, (1, 99.5))
    extent = (0, slices, 1, 0)  # each slice is a unit square
    panel.imshow(image, cmap="gray", vmin=dark, vmax=bright, extent=extent, interpolation="bilinear", aspect="auto")
    across, down = ((np.arange(n) + 0.5) * length / n for n, length in ((columns, slices), (rows, 1)))
    for name in ("LVM", "RVBP", "LVBP"):  # LVBP last: its outline covers the inner one of LVM
        mask = labels == LABELS[name]
        if mask.any():
            panel.contour(across, down, mask, [0.5], colors=COLOURS[name], linewidths=0.6)
    for place in range(slices):
        number = part.start + place
        panel.text(place + 0.04, 0.05, str(number), color="white", fontsize=5, va="top", bbox=BEHIND_NUMBERS)
        if number in strip.flagged:
            inside = Rectangle((place + 0.015, 0.015), 0.97, 0.97, fill=False, edgecolor=FLAG_COLOUR, linewidth=1.5)
            panel.add_patch(inside)
    panel.set(xlim=(0, slices), ylim=(1, 0), xticks=[], yticks=[])
    panel.spines[:].set_visible(False)


def _side_by_side(volume: np.ndarray, spacing_mm: np.ndarray, square: tuple[float, float, float]) -> np.ndarray:
    """The square of each slice, from base to apex beside each other; outside the image, it is 0."""
    across, down, side_mm = square
    parts = []
    for centre_mm, axis, pixel_mm in ((down, 1, spacing_mm[1]), (across, 2, spacing_mm[0])):
        size = round(side_mm / pixel_mm)
        start = round(centre_mm / pixel_mm - size / 2)
        parts.append((start, start + size, volume.shape[axis]))
    beyond = [(max(0, -start), max(0, end - length)) for start, end, length in parts]
    padded = np.pad(volume, [(0, 0), *beyond])
    (top, bottom), (left, right) = (
        (start + before, end + before) for (start, end, _), (before, _) in zip(parts, beyond, strict=True)
    )
    return np.hstack(list(padded[:, top:bottom, left:right]))
