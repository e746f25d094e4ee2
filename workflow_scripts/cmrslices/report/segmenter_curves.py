"""Training curves of the segmenters, from what nnU-Net logged in their checkpoints."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cmrslices.labels import LABELS
from cmrslices.presentation.figures import write_figure
from cmrslices.presentation.writing import Files
from cmrslices.report.curves import Line, draw_curves
from cmrslices.runtime.checkpoints import read_weights

PSEUDO_DICE = {
    "LVBP": Line("pseudo-Dice LVBP", "#D55E00"),
    "LVM": Line("LVM", "#009E73"),
    "RVBP": Line("RVBP", "#56B4E9"),
}


def write_segmenter_curves(weights: Sequence[str], models: Sequence[str], figure: Files, csv: str | Path) -> None:
    """Draw the training of every model, and write the numbers.

    Parameters
    ----------
    weights : list of path
        Each model's checkpoint_final.pth, in the order of `models`.
    models : list of str
    figure : Files
        To write.
    csv : path
        To write: the numbers.
    """
    tables = {model: _read_training(path) for model, path in zip(models, weights, strict=True)}
    pd.concat(tables, names=["model"]).reset_index("model").to_csv(csv, index=False, float_format="%.6g")
    write_figure(figure, "Training of the segmenters", draw_curves(tables, PSEUDO_DICE, "Loss", "Pseudo-Dice"))


def _read_training(weights: str) -> pd.DataFrame:
    """The table of a model's epochs, with the device of the training's last try: cpu or gpu."""
    checkpoint = read_weights(weights)
    # nnU-Net scales gradients on a GPU only.
    device = "cpu" if checkpoint["grad_scaler_state"] is None else "gpu"
    return epoch_table(checkpoint["logging"]).assign(device=device)


def epoch_table(logging: Mapping[str, list]) -> pd.DataFrame:
    """What nnU-Net logged, a row per epoch.

    Parameters
    ----------
    logging : dict
        nnU-Net's lists, by its own names.

    Returns
    -------
    DataFrame
        epoch (from 1), train_loss, validation_loss, the pseudo-Dice of each label, learning_rate, seconds.
    """
    dice = pd.DataFrame(logging["dice_per_class_or_region"], columns=list(LABELS), dtype=float)
    starts, ends = (pd.Series(logging[f"epoch_{end}_timestamps"]) for end in ("start", "end"))
    table = pd.DataFrame({"train_loss": logging["train_losses"], "validation_loss": logging["val_losses"]}, dtype=float)
    table = table.join(dice).assign(learning_rate=logging["lrs"], seconds=ends - starts)
    table.insert(0, "epoch", range(1, len(table) + 1))
    return table
