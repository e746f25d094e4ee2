"""The classifiers' confusion matrices as one picture."""

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from cmrslices.labels import TABLE_ORDER
from cmrslices.presentation.figures import print_style, size_inches

COLUMNS = 4
ROW_HEIGHT_MM = 54


def draw_confusion(reference: np.ndarray, predicted: dict[str, np.ndarray], selected: str) -> Figure:
    """Draw a matrix per network: numbers of slices, and their share in % of the slices of the reference region.

    Parameters
    ----------
    reference : array of str
        Reference region of each slice.
    predicted : dict of str to array of str
        Title of each network to the regions that it predicts for the same slices.
    selected : str
        Title of the network that is marked.
    """
    columns = min(len(predicted), COLUMNS)
    rows = -(-len(predicted) // columns)
    with print_style():
        figure = Figure(figsize=size_inches(ROW_HEIGHT_MM * rows), layout="compressed")
        panels = figure.subplots(rows, columns, squeeze=False)
        for panel in panels.flat[len(predicted) :]:
            panel.set_visible(False)
        for index, (panel, (network, regions)) in enumerate(zip(panels.flat, predicted.items(), strict=False)):
            _draw_matrix(panel, confusion_matrix(reference, regions, labels=TABLE_ORDER))
            mark = {"fontweight": "bold"} if network == selected else {}
            panel.set_title(f"{network} (selected)" if network == selected else network, **mark)
            if index % columns:
                panel.set_yticklabels([])
            else:
                panel.set_ylabel("Reference region")
            if index + columns >= len(predicted):
                panel.set_xlabel("Predicted region")
    return figure


def _draw_matrix(panel: Axes, counts: np.ndarray) -> None:
    totals = counts.sum(axis=1, keepdims=True)
    percent = 100 * counts / np.maximum(totals, 1)
    text = np.array([f"{count}\n{share:.0f}%" for count, share in zip(counts.flat, percent.flat, strict=True)])
    names = [name.replace("-", "-\n") for name in TABLE_ORDER]
    sns.heatmap(
        percent,
        annot=text.reshape(counts.shape),
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=100,
        square=True,
        cbar=False,
        linewidths=0.5,
        linecolor="white",
        xticklabels=names,
        yticklabels=names,
        annot_kws={"fontsize": 5.5},
        ax=panel,
    )
    panel.tick_params(length=0, labelsize=6, labelrotation=0)
