"""Region probabilities of the slices of unseen cases."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from cmrslices.classification import networks
from cmrslices.classification.images import field_of_view, kept_slices
from cmrslices.devices import best_device
from cmrslices.labels import NON_CARDIAC, SLICE_CLASSES


def classify(
    *,
    weights: str | Path,
    plans: str | Path,
    dataset: str | Path,
    images: str | Path,
    splits: str | Path,
    threads: int,
    probabilities: str | Path,
) -> None:
    """Classify every slice of a cohort's validation and test cases, one case at a time.

    Parameters
    ----------
    weights : path
        As `train_classifier` writes them.
    plans, dataset : path
        nnU-Net's plans file and ``dataset.json`` of the training cohort.
    images : path
        Folder of ``{case}_0000.nii.gz``.
    splits : path
        The cohort's ``splits.csv``.
    threads : int
        CPU threads.
    probabilities : path
        Written: ``case``, ``slice`` and a column per entry of `SLICE_CLASSES`.
    """
    torch.set_num_threads(threads)
    trained = torch.load(weights, map_location="cpu", weights_only=True)
    model = networks.build(trained["network"], trained["image_size_px"])
    model.load_state_dict(trained["state_dict"])
    model.to(best_device()).eval()
    table = pd.read_csv(splits, dtype={"case": str})
    cases = table.loc[table["split"].isin(["validation", "test"]), "case"].sort_values()
    rows = []
    for case, image, properties in preprocessed(cases, Path(images), plans, dataset):
        found = classify_case(model, image, properties, trained["field_of_view_mm"], trained["image_size_px"])
        rows.append(found.assign(case=case).rename_axis("slice").reset_index())
    result = pd.concat(rows) if rows else pd.DataFrame(columns=["case", "slice", *SLICE_CLASSES])
    result.to_csv(probabilities, index=False, columns=["case", "slice", *SLICE_CLASSES], float_format="%.6f")


def preprocessed(
    cases: pd.Series, images: Path, plans: str | Path, dataset: str | Path
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Yield each case with its image ``(1, z, y, x)`` and properties, as nnU-Net's 2D configuration makes them."""
    manager = PlansManager(str(plans))
    configuration = manager.get_configuration("2d")
    preprocessor = configuration.preprocessor_class(verbose=False)
    for case in cases:
        file = str(images / f"{case}_0000.nii.gz")
        image, _, properties = preprocessor.run_case([file], None, manager, configuration, str(dataset))
        yield case, image, properties


@torch.inference_mode()
def classify_case(model: nn.Module, image: np.ndarray, properties: dict, side_mm: float, size_px: int) -> pd.DataFrame:
    """Class probabilities of all slices of a case.

    Returns
    -------
    DataFrame
        A row per slice of the original stack and a column per entry of `SLICE_CLASSES`.
        Slices that nnU-Net cropped away are all zero and so non-cardiac.
    """
    device = next(model.parameters()).device
    table = pd.DataFrame(0.0, index=range(properties["shape_before_cropping"][0]), columns=list(SLICE_CLASSES))
    table[NON_CARDIAC] = 1.0
    slices = field_of_view(image, properties, side_mm, size_px).to(device)
    table.loc[list(kept_slices(properties))] = networks.classify_grey(model, slices).softmax(dim=1).cpu().numpy()
    return table
