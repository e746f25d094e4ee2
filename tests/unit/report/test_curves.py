"""Training curves of segmenters and classifiers."""

import numpy as np
import pandas as pd
import pytest
import torch

from cmrslices.labels import LABELS
from cmrslices.report.classifier_curves import ACCURACY, write_classifier_curves
from cmrslices.report.curves import COLUMNS, draw_curves
from cmrslices.report.segmenter_curves import epoch_table, write_segmenter_curves


def history(accuracies, losses):
    epochs = range(1, len(accuracies) + 1)
    table = {"epoch": epochs, "train_loss": losses, "validation_loss": losses, "validation_accuracy": accuracies}
    return pd.DataFrame(table)


def logging(epochs):
    """What nnU-Net keeps in a checkpoint."""
    return {
        "train_losses": np.linspace(0, -0.9, epochs).tolist(),
        "val_losses": np.linspace(0, -0.8, epochs).tolist(),
        "dice_per_class_or_region": [[0.5, 0.6, 0.7]] * epochs,
        "lrs": [0.01] * epochs,
        "epoch_start_timestamps": [100.0 * epoch for epoch in range(epochs)],
        "epoch_end_timestamps": [100.0 * epoch + 90 for epoch in range(epochs)],
        "mean_fg_dice": [0.6] * epochs,
    }


def visible(figure):
    return [panel for panel in figure.axes if panel.get_visible()]


def test_a_checkpoints_log_becomes_a_row_per_epoch():
    table = epoch_table(logging(3))
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table.loc[0, list(LABELS)].tolist() == [0.5, 0.6, 0.7]
    assert table["seconds"].tolist() == [90, 90, 90]


@pytest.mark.parametrize("trainings", [1, COLUMNS, COLUMNS + 1])
def test_every_training_has_two_panels(trainings):
    tables = {f"network {number}": history([0.5, 0.6], [1.0, 0.9]) for number in range(trainings)}
    assert len(visible(draw_curves(tables, ACCURACY, "Loss", "Accuracy"))) == 2 * trainings


def test_all_losses_share_one_scale():
    tables = {str(top): history([0.5, 0.6], [top, 0.1]) for top in range(1, COLUMNS + 3)}
    losses = [panel for panel in visible(draw_curves(tables, ACCURACY, "Loss", "Accuracy")) if panel.get_title()]
    assert len({panel.get_ylim() for panel in losses}) == 1


def test_a_single_epoch_can_be_seen():
    figure = draw_curves({"network": history([0.5], [1.0])}, ACCURACY, "Loss", "Accuracy")
    assert {line.get_marker() for panel in visible(figure) for line in panel.get_lines()} == {"."}


def test_segmenter_curves_are_read_from_the_checkpoints(tmp_path):
    for model, scaler in (("baseline", {"scale": 65536.0}), ("apex", None)):
        checkpoint = {"logging": logging(2), "network_weights": torch.zeros(3), "grad_scaler_state": scaler}
        torch.save(checkpoint, tmp_path / f"{model}.pth")
    outputs = {name: tmp_path / f"curves.{name}" for name in ("html", "png", "pdf", "csv")}
    figure = [outputs[name] for name in ("png", "pdf", "html")]
    weights = [tmp_path / "baseline.pth", tmp_path / "apex.pth"]
    write_segmenter_curves(weights, ["baseline", "apex"], figure, outputs["csv"])
    table = pd.read_csv(outputs["csv"])
    assert table.groupby("model", sort=False).size().to_dict() == {"baseline": 2, "apex": 2}
    assert table.groupby("model")["device"].unique().map(list).to_dict() == {"baseline": ["gpu"], "apex": ["cpu"]}
    assert "data:image/webp" in outputs["html"].read_text()


def test_classifier_curves_are_read_from_the_histories(tmp_path):
    history([0.5, 0.6], [1.0, 0.9]).to_csv(tmp_path / "history.csv", index=False)
    outputs = {name: tmp_path / f"curves.{name}" for name in ("html", "png", "pdf")}
    write_classifier_curves([tmp_path / "history.csv"], {"resnet18": "ResNet"}, list(outputs.values()))
    assert outputs["pdf"].read_bytes().startswith(b"%PDF")
    assert "data:image/webp" in outputs["html"].read_text()
