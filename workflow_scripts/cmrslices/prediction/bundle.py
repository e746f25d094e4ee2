"""A bundle: a folder with all that a trained approach needs to segment, and the hash of every file in it.

``bundle.yaml`` names the approach, its models and its settings, lists the SHA-256 of every other file, and ends with
the SHA-256 of its own lines before the last one. The models' folders are nnU-Net's, without the optimiser and without
the names of the training cases. A bundle holds no image, no label map and no name of a patient.

The Snakefile imports this module, so it needs no torch.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cmrslices.runtime.errors import CollectedErrors, InputError

FORMAT = 1
"""Version of the layout of a bundle."""
MANIFEST = "bundle.yaml"
CARD = "card.md"
DATASET = "plans/dataset.json"
SELECTED = "classifiers/selected.yaml"
CALIBRATION = "classifiers/calibration.yaml"
SEAL = re.compile(rb"(.*\n)sha256: ([0-9a-f]{64})\n", re.DOTALL)


class Bundle(NamedTuple):
    """A bundle whose files are those that it was made with.

    Attributes
    ----------
    folder : Path
    content : dict
        Of ``bundle.yaml``: ``format``, ``name``, ``approach`` (its row of the configuration), ``models`` (name to row),
        ``networks`` (the classifiers that are read), ``rates`` (of extents, see
        `cmrslices.classification.extent_reading.FoundRates`), ``settings`` (mirroring, precision, regions), ``units``,
        ``workflow``, ``commit``, ``versions`` and ``files`` (path to SHA-256).
    """

    folder: Path
    content: dict[str, Any]

    @property
    def approach(self) -> dict:
        """The approach's row of the configuration."""
        return self.content["approach"]

    @property
    def settings(self) -> dict:
        """What predictions depend on beside the approach: mirroring, precision and regions."""
        return self.content["settings"]

    @property
    def networks(self) -> list[str]:
        """The classifiers that the router reads."""
        return list(self.content["networks"])

    @property
    def routed(self) -> list[str]:
        """The models that slices are routed to."""
        row = self.approach
        one = row.get("model") or row.get("decoders_of")
        return [one] if one else sorted(set(row["models"].values()))

    @property
    def digest(self) -> str:
        """SHA-256 of ``bundle.yaml``, which stands for all files."""
        return _sha256(self.folder / MANIFEST)

    def file(self, name: str) -> str:
        """Path of one of the listed files.

        Raises
        ------
        InputError
            It is not listed, so that its hash was not checked.
        """
        if name not in self.content["files"]:
            raise InputError(f"{self.folder / MANIFEST}: does not list {name}, which the approach needs; make it anew")
        return str(self.folder / name)

    def weights(self, model: str) -> str:
        """Path of a model's weights."""
        return self.file(weights_file(model))

    def is_3d(self, model: str) -> bool:
        """Whether a model sees stacks, not slices."""
        return self.content["models"][model].get("configuration") == "3d_fullres"

    def configurations(self, models: Iterable[str] | None = None) -> list[str]:
        """nnU-Net's configurations that some models see a cohort in; without names, all models and the classifiers."""
        names = list(self.content["models"] if models is None else models)
        in_2d = not all(map(self.is_3d, names)) or bool(models is None and self.networks)
        return [*(["2d"] if in_2d else []), *(["3d_fullres"] if any(map(self.is_3d, names)) else [])]


def weights_file(model: str) -> str:
    """Path of a model's weights in a bundle; nnU-Net's `plans.json` and `dataset.json` lie one folder above."""
    return f"models/{model}/fold_0/checkpoint_final.pth"


def classifier_file(network: str) -> str:
    """Path of a classifier's weights in a bundle."""
    return f"classifiers/{network}/weights.pth"


def head_calibration_file(model: str) -> str:
    """Path of the temperature of a joint model's head, in a bundle as in a results folder."""
    return f"heads/{model}/calibration.yaml"


def plans_file(configuration: str) -> str:
    """Path in a bundle of the plans by which a cohort is preprocessed."""
    return f"plans/{configuration}.json"


def seal_bundle(folder: Path, content: dict[str, Any]) -> None:
    """Write ``bundle.yaml`` beside the files of a bundle.

    Parameters
    ----------
    folder : Path
        Holds all other files.
    content : dict
        See `Bundle`, without ``format`` and ``files``.
    """
    hashes = {name: _sha256(folder / name) for name in sorted(_files(folder))}
    sealed = {"format": FORMAT, **content, "files": hashes}
    text = yaml.safe_dump(sealed, sort_keys=False, allow_unicode=True).encode()
    (folder / MANIFEST).write_bytes(text + f"sha256: {hashlib.sha256(text).hexdigest()}\n".encode())


def open_bundle(folder: str | Path) -> Bundle:
    """Check every file of a bundle against its hash.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        There is no ``bundle.yaml``, it was changed, or the bundle has another format.
    CollectedErrors
        With a line for each file that was changed, is missing, or does not belong to the bundle.
    """
    folder = Path(folder)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise InputError(f"{folder}: is no bundle, because it has no {MANIFEST}; name a folder that bundle.py made")
    sealed = SEAL.fullmatch(manifest.read_bytes())
    if not sealed or hashlib.sha256(sealed[1]).hexdigest() != sealed[2].decode():
        raise InputError(f"{manifest}: was changed or damaged after it was made; copy the bundle again")
    content = yaml.safe_load(sealed[1])
    if content["format"] != FORMAT:
        raise InputError(
            f"{manifest}: the bundle has format {content['format']}, and this version of the workflow reads format "
            f"{FORMAT}; it was made with version {content.get('workflow', 'unknown')}: use that one, or make it anew"
        )
    faults = [f"{folder / name}: {fault}" for name, fault in sorted(_faults(folder, content["files"]).items())]
    if faults:
        raise CollectedErrors(faults)
    return Bundle(folder, content)


def manifest_digest(folder: str | Path) -> str:
    """Digest of ``bundle.yaml``, so that another bundle is used anew; empty if there is none. Nothing is checked."""
    manifest = Path(folder) / MANIFEST
    return _sha256(manifest)[:16] if manifest.is_file() else ""


def _faults(folder: Path, hashes: dict[str, str]) -> dict[str, str]:
    found = _files(folder)
    faults = dict.fromkeys(hashes.keys() - found, "is missing; copy the bundle again")
    faults |= dict.fromkeys(found - hashes.keys(), "does not belong to the bundle; remove it")
    changed = [name for name in hashes.keys() & found if _sha256(folder / name) != hashes[name]]
    return faults | dict.fromkeys(changed, "was changed or damaged after the bundle was made; copy the bundle again")


def _files(folder: Path) -> set[str]:
    """Every file in the folder but ``bundle.yaml``, as a path from there."""
    found = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    return found - {MANIFEST}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
