"""The folders that nnU-Net finds through its environment variables."""

import os
from pathlib import Path

PLANS = "nnUNetPlans"
"""Name of the plans file, without its suffix."""
CASES_IN_STORE = "2d"
"""Folder of the store that holds the cases: the name of nnU-Net's configuration, `3d_fullres` in the store of 3D.

nnU-Net refuses a folder that holds files of other types beside the cases, and Snakemake puts a file of its own into
every folder that a rule makes. So the cases lie one folder deeper than the rule's output.
"""
TRAINERS = Path(__file__).parent / "trainers"
"""Folder in which nnU-Net's commands find `SliceTrainer`."""


def set_nnunet_folders(dataset_folder: str | Path) -> None:
    """Tell nnU-Net where raw data, preprocessed data, results and trainers of this workflow lie.

    Parameters
    ----------
    dataset_folder : path
        ``.../nnunet/preprocessed/DatasetXXX_name`` or its counterpart below raw or results.
    """
    root = Path(dataset_folder).resolve().parents[1]
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(root / name)
    os.environ["nnUNet_extTrainer"] = str(TRAINERS)
