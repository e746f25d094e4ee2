"""Where the given label maps of a cohort lie, and whether they are still the same; imported by the Snakefile."""

import hashlib
import os
from pathlib import Path


def folder_of(predictions: str | Path, cohort: str) -> Path | None:
    """Find the folder of one cohort's label maps: the subfolder with its name, else the whole; None if there is none.

    Parameters
    ----------
    predictions : path
        The folder of an approach.
    cohort : str
    """
    whole = Path(predictions)
    return next((folder for folder in (whole / cohort, whole) if folder.is_dir()), None)


def files_digest(folder: str | Path) -> str:
    """Digest of the names, sizes and times of change of all NIfTI files in a folder; no file is opened.

    Parameters
    ----------
    folder : path

    Returns
    -------
    str
        Hexadecimal, 16 digits. The folder's own place does not count.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names):
        if path.name.endswith((".nii", ".nii.gz")) and path.is_file():
            status = path.stat()
            digest.update(os.fsencode(path.relative_to(folder)))
            digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]
