"""The device that a job computes on, and its numerical precision."""

import contextlib
import os
from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]


def best_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_deterministically(device: torch.device, deterministic: bool) -> None:
    """Choose the GPU's algorithms by whether two runs give the same bits; to be called before anything is computed.

    A CPU does so anyway. Where torch has no such algorithm it warns: the value of the segmenters' cross-entropy (not
    its gradient), and the gradient of the adaptive pooling in AlexNet and VGG.

    Parameters
    ----------
    device : torch.device
        Nothing is changed on a CPU.
    deterministic : bool
        Slower where True. Where False, cuDNN tries its algorithms and takes the fastest, as nnU-Net's command lets it.
    """
    if device.type == "cpu":
        return
    torch.backends.cudnn.benchmark = not deterministic
    if not deterministic:
        return
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True, warn_only=True)


def lowered_dtype(device: torch.device, precision: Precision) -> torch.dtype | None:
    """Choose the type that convolutions and matrix products are computed in.

    Parameters
    ----------
    device : torch.device
        Where the network runs.
    precision : {'auto', 'fp32', 'bf16'}
        ``auto`` is float16 on a GPU, as in nnU-Net, and bfloat16 on a CPU that has instructions for it.

    Returns
    -------
    torch.dtype or None
        None for float32 throughout. Training in float16 needs a gradient scaler.
    """
    if precision == "bf16":
        return torch.bfloat16
    if precision == "fp32":
        return None
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if _cpu_has_bf16() else None


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager:
    """Context in which the forward pass runs in the type that `lowered_dtype` chooses."""
    dtype = lowered_dtype(device, precision)
    # Switched off, not left out: nnU-Net's own steps stand inside of a context of float16 on a GPU.
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
