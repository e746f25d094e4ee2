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
    """Choose whether the GPU's algorithms give the same bits in every run; call it before anything is computed.

    A CPU gives the same bits in every run anyway. Where torch has no deterministic algorithm it warns and takes another
    one: for the value of the segmenters' cross-entropy (not for its gradient), and for the gradient of the adaptive
    pooling in AlexNet and VGG.

    Parameters
    ----------
    device : torch.device
        Nothing is changed on a CPU.
    deterministic : bool
        True: deterministic algorithms, which are slower. False: cuDNN tries its algorithms and takes the fastest, as in
        nnU-Net's own command.
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
    """Choose the number type in which convolutions and matrix products are computed.

    Parameters
    ----------
    device : torch.device
        Where the network runs.
    precision : {'auto', 'fp32', 'bf16'}
        ``auto`` is float16 on a GPU, as in nnU-Net; bfloat16 on a CPU that has instructions for it; else float32.

    Returns
    -------
    torch.dtype or None
        None means that everything is computed in float32. Training in float16 needs a gradient scaler.
    """
    if precision == "bf16":
        return torch.bfloat16
    if precision == "fp32":
        return None
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if _cpu_has_bf16() else None


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager:
    """Return a context in which a forward pass is computed in the type that `lowered_dtype` chooses."""
    dtype = lowered_dtype(device, precision)
    # For float32 the context is disabled, not omitted: on a GPU, nnU-Net's steps run inside a float16 context.
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
