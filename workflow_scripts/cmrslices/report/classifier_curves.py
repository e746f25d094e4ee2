"""Training curves of the slice-region classifiers."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cmrslices.classification.history import best_epoch
from cmrslices.presentation.figures import write_figure
from cmrslices.presentation.writing import Files
from cmrslices.report.curves import Line, draw_curves

ACCURACY = {"validation_accuracy": Line("validation accuracy", "#009E73")}


def write_classifier_curves(histories: Sequence[str], networks: Mapping[str, str], figure: Files) -> None:
    """Draw the training of every classifier and mark the epoch that was kept.

    Parameters
    ----------
    histories : list of path
        Each network's history.csv, in the order of `networks`.
    networks : dict of name to title
    figure : Files
        To write.
    """
    tables = {title: pd.read_csv(path) for title, path in zip(networks.values(), histories, strict=True)}
    kept = {title: best_epoch(table.to_dict("records")) for title, table in tables.items()}
    curves = draw_curves(tables, ACCURACY, "Cross-entropy", "Accuracy", kept)
    write_figure(figure, "Training of the classifiers", curves)
