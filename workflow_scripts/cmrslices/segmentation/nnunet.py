"""The folders that nnU-Net finds through its environment variables."""

import os
from pathlib import Path

PLANS = "nnUNetPlans"
CASES_IN_STORE = "2d"
"""Folder of the store that holds the cases; nnU-Net wants no other file there, and Snakemake marks its outputs."""
TRAINERS = Path(__file__).parent / "trainers"


def set_nnunet_folders(dataset_folder: str | Path) -> None:
    """Point nnU-Net to a results folder's raw, preprocessed and results folders.

    Parameters
    ----------
    dataset_folder : path
        ``.../nnunet/preprocessed/DatasetXXX_name`` or its counterpart below raw or results.
    """
    root = Path(dataset_folder).resolve().parents[1]
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(root / name)
    os.environ["nnUNet_extTrainer"] = str(TRAINERS)
