"""The device that a job computes on, and its numerical precision."""

import contextlib
import fcntl
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Literal, TextIO

import torch

from cmrslices.runtime.errors import InputError

Precision = Literal["auto", "fp32", "bf16"]

CHOICE = "CMRSLICES_DEVICE"
"""Environment variable; ``cpu`` lets a job compute on the CPU although it has a GPU."""
GIVEN = ("SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES")
"""Environment variables that name the GPUs of a job."""
NO_GPU = ("", "-1", "NoDevFiles")
"""Values of these variables that hide all GPUs."""
DRIVER = Path("/proc/driver/nvidia")
"""Where NVIDIA's driver tells its version and its GPUs, without any work for a GPU."""

_locked: list[TextIO] = []
"""The lock of the GPU that this process took; it lasts as long as the process."""


def best_device() -> torch.device:
    """Return the GPU where there is one, else the CPU.

    Raises
    ------
    InputError
        The job has a GPU, but torch cannot use it. A job that computed on the CPU then would take its time limit.
    """
    if os.environ.get(CHOICE) == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    driver = driver_version()
    if reason := _gpu_of_this_job(driver):
        raise InputError(
            f"this job has a GPU ({reason}), but torch {torch.__version__} cannot use it; driver: "
            f"{driver or 'none found'}, CUDA of this torch: {torch.version.cuda or 'none'}. Use a newer driver or "
            f"another build of torch (docs/cluster.md, GPUs), or compute on the CPU: export {CHOICE}=cpu"
        )
    return torch.device("cpu")


def _gpu_of_this_job(driver: str | None) -> str | None:
    """Tell from what it is known that this job has a GPU, if it is."""
    for name in GIVEN:
        if os.environ.get(name, "") not in NO_GPU:
            return f"{name}={os.environ[name]}"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in NO_GPU
    return f"NVIDIA's driver {driver} is loaded" if driver and not hidden else None


def driver_version() -> str | None:
    """Version of NVIDIA's driver; None where it is not loaded."""
    with contextlib.suppress(OSError):
        if found := re.search(r"\b\d+\.\d+(\.\d+)?\b", (DRIVER / "version").read_text()):
            return found.group()
    return None


def job_device(precision: Precision) -> torch.device:
    """Choose the device of this process, and print it. Call it before anything else that needs a device.

    With the precision fp32, a GPU computes in float32 and not in TF32, which has fewer bits.

    On a machine with several GPUs and no SLURM, every process would take the first one. So each takes the first one
    that no other process of this workflow has. If all are taken, it shares the first one.

    Raises
    ------
    InputError
        As by `best_device`.
    """
    if not any(name in os.environ for name in (CHOICE, *GIVEN)):
        _take_free_gpu()
    device = best_device()
    if precision == "fp32":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    name = f"{torch.cuda.get_device_name()}, driver {driver_version()}" if device.type == "cuda" else "CPU"
    print(f"device: {name}, {lowered_dtype(device, precision) or torch.float32}, torch {torch.__version__}", flush=True)
    return device


def _take_free_gpu() -> None:
    """Let CUDA see one GPU only; it must not have started."""
    gpus = len(list(DRIVER.glob("gpus/*")))
    for number in range(gpus if gpus > 1 else 0):
        # Not deleted when the process ends: another process may already wait for the same name.
        file = (Path(tempfile.gettempdir()) / f"cmrslices_{os.getuid()}_gpu{number}.lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
        else:
            _locked.append(file)
            os.environ["CUDA_VISIBLE_DEVICES"] = str(number)
            return


def used(device: torch.device, precision: Precision) -> dict[str, Any]:
    """Describe what this process computes on.

    Returns
    -------
    dict
        ``device`` (its name), ``number_type`` (see `lowered_dtype`) and ``torch`` (its version); of a GPU also
        ``driver``, ``cuda``, ``cudnn`` (versions) and ``peak_memory_mb``, the most memory that torch's tensors took so
        far.
    """
    number_type = str(lowered_dtype(device, precision) or torch.float32).removeprefix("torch.")
    common = {"device": "CPU", "number_type": number_type, "torch": str(torch.__version__)}
    if device.type == "cpu":
        return common
    return common | {
        "device": torch.cuda.get_device_name(),
        "driver": driver_version(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "peak_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20),
    }


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor on the device; while it is copied to a GPU, the program goes on.

    A copy that the program need not wait for comes from pinned memory.
    """
    if tensor.device.type == device.type:
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


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
