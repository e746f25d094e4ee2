"""ImageNet weights: a download, verified by the hash in the name of the file."""

import os
import re
from pathlib import Path
from urllib.error import URLError

import torch
import torchvision

from cmrslices.classification.networks import check_name
from cmrslices.runtime.errors import InputError


def fetch_weights(network: str, file: str | Path) -> None:
    """Download torchvision's default ImageNet weights of a network.

    Parameters
    ----------
    network : str
        torchvision's name of the network.
    file : path
        Where the weights are written; only a complete and verified file is.

    Raises
    ------
    InputError
        Unknown network, no connection, or a download whose hash is wrong.
    """
    check_name(network)
    download(torchvision.models.get_model_weights(network).DEFAULT.url, Path(file))


def download(url: str, file: Path) -> None:
    """Download a file whose name ends in the first digits of its SHA-256, such as ``resnet18-f37072fd.pth``."""
    (digits,) = re.findall(r"-([0-9a-f]{8,})\.\w+$", url)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, os.fspath(file), hash_prefix=digits, progress=False)
    except (URLError, TimeoutError, ConnectionError) as fault:
        raise InputError(
            f"{url}: cannot be downloaded ({getattr(fault, 'reason', fault)}); run this rule where there is a "
            "connection, or set classification.initial_weights to a folder that holds the file, or to none"
        ) from None
    except RuntimeError as fault:
        raise InputError(f"{url}: the download is damaged ({fault}); run again") from None
