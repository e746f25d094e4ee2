"""Label maps that any segmenter has made become the predictions of an approach; nothing is computed with a network."""

import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cmrslices.cohorts.convert.volumes import map_labels, write_volume
from cmrslices.cohorts.tables import cases_of, read_cases, read_splits
from cmrslices.prediction.fit import Fit, fit_faults, measure_fit
from cmrslices.prediction.grids import on_grid, read_label_map
from cmrslices.runtime.errors import CollectedErrors, InputError
from cmrslices.runtime.parallel import map_progress


class Taken(NamedTuple):
    """What became of the label map of one case: how it fits and what is worth a note, or why it cannot be read."""

    fit: Fit | None
    notes: tuple[str, ...]
    fault: str = ""


def read_predictions(
    folder: str | Path,
    names: str,
    label_map: dict[str, int],
    approach: str,
    cohort: str,
    cases: str | Path,
    splits: str | Path,
    references: str | Path,
    labels: str | Path,
    threads: int,
) -> None:
    """Write the given label maps of the test cases of one cohort: on the converted grid, with this project's values.

    Parameters
    ----------
    folder : path
        Holds the files.
    names : str
        Pattern of their names, with ``{case}``, ``{patient}`` and ``{phase}``.
    label_map : dict
        Value of LVBP, LVM and RVBP in the files.
    approach, cohort : str
        Named in the errors.
    cases, splits : path
        The cohort's cases.csv and splits.csv.
    references : path
        Folder with {case}.nii.gz, the reference label maps, which lie on the grids of the converted images.
    labels : path
        Folder to make, with {case}.nii.gz.
    threads : int
        Cases read at the same time.

    Raises
    ------
    CollectedErrors
        With a line for each case at fault: no file, not on the image's grid, unknown values, or fitting the reference
        much better in another way (see `fit_faults`).
    """
    files = files_of(Path(folder), names, read_cases(cases), cases_of(read_splits(splits), "test"))
    place = f"approach {approach}, cohort {cohort}"
    if files and not any(file.is_file() for file in files.values()):
        raise InputError(f"{place}: {_nothing_found(Path(folder), names, next(iter(files.values())))}")
    shutil.rmtree(labels, ignore_errors=True)  # what a killed job may have left
    Path(labels).mkdir(parents=True)
    take = partial(take_case, label_map=label_map, references=Path(references), labels=Path(labels))
    taken = dict(zip(files, map_progress(take, list(files.items()), threads, unit="case"), strict=True))
    faults = {case: one.fault for case, one in taken.items() if one.fault}
    odd = fit_faults({case: one.fit for case, one in taken.items() if not one.fault})
    faults |= {
        case: f"{files[case]}: {fault}; correct the file, or label_map of the approach" for case, fault in odd.items()
    }
    if faults:
        raise CollectedErrors([f"{place}, case {case}: {faults[case]}" for case in files if case in faults])
    print(f"{place}: {len(files)} label maps from {folder}")
    for note, count in sorted(Counter(note for one in taken.values() for note in one.notes).items()):
        print(f"{note}: {count} cases")


def files_of(folder: Path, names: str, table: pd.DataFrame, cases: list[str]) -> dict[str, Path]:
    """Return the file of each case, whether it exists or not.

    Parameters
    ----------
    folder : Path
    names : str
        Pattern of the names, with ``{case}``, ``{patient}`` and ``{phase}``.
    table : DataFrame
        As `read_cases` gives it.
    cases : list of str

    Examples
    --------
    >>> table = pd.DataFrame({"case": ["acdc_patient001_ED"], "patient": ["patient001"], "phase": ["ED"]})
    >>> files = files_of(Path("given"), "{patient}_{phase}.nii.gz", table, ["acdc_patient001_ED"])
    >>> print(files["acdc_patient001_ED"])
    given/patient001_ED.nii.gz
    """
    about = table.set_index("case")[["patient", "phase"]]
    return {case: folder / names.format(case=case, **about.loc[case]) for case in cases}


def take_case(item: tuple[str, Path], label_map: dict[str, int], references: Path, labels: Path) -> Taken:
    """Read the label map of one case, bring it onto the grid of the reference, and write it.

    Parameters
    ----------
    item : tuple
        The case and its file.
    label_map, references, labels
        As in `read_predictions`.
    """
    case, file = item
    if not file.is_file():
        return Taken(None, (), f"there is no file {file}; add it")
    reference = read_label_map(references / f"{case}.nii.gz")
    try:
        given = on_grid(read_label_map(file), reference.affine, reference.voxels.shape, file)
        voxels = map_labels(given.voxels, label_map, file)
    except InputError as fault:
        return Taken(None, (), str(fault))
    write_volume(voxels, reference.affine, labels / f"{case}.nii.gz")
    notes = list(given.notes)
    if not voxels.any():
        notes.append("WARNING: empty")
    elif (voxels == reference.voxels).all():
        notes.append("WARNING: equal to the reference in every voxel")
    return Taken(measure_fit(voxels, reference.voxels), tuple(notes))


def _nothing_found(folder: Path, names: str, expected: Path) -> str:
    if not folder.is_dir():
        return f"the folder {folder} does not exist; correct `predictions` of the approach"
    held = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.nii*") if path.is_file())
    shown = f"holds {', '.join(held[:3])}{', ...' if len(held) > 3 else ''}" if held else "holds no NIfTI file"
    return f"no case has a file named {names}, such as {expected}; the folder {shown}; correct `names` of the approach"
