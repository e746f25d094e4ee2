"""One cohort without labels: every patient found is converted, excluded with a reason, or reported as a fault."""

import functools
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pandas as pd

from cmrslices.cohorts.convert.cohort import convert_patients, exclude_patients, name_clashes, stop_at_faults
from cmrslices.cohorts.convert.finished import forget_others
from cmrslices.cohorts.convert.raw import RawPatient
from cmrslices.cohorts.tables import CASES, write_cases
from cmrslices.cohorts.unlabelled.direction import UNDECIDED
from cmrslices.cohorts.unlabelled.layouts import NewPatient, check_folder, find_patients, layout_of
from cmrslices.cohorts.unlabelled.patient import convert_patient
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.files import link_or_copy

OF_ANOTHER = "image-of-another-patient"
"""What the column ``repairs`` says of a case whose image is equal to one of another patient."""


def convert_images(
    name: str, cohort: dict, images: str | Path, cases: str | Path, finished: str | Path, code: str, threads: int
) -> None:
    """Convert the images of a cohort without labels to the common layout: one affine per case, slice 0 at the base.

    A patient that an earlier conversion, finished or failed, has converted from the same files is not read again.

    Parameters
    ----------
    name : str
        The cohort's name in the configuration.
    cohort : dict
        The cohort's row of the configuration: format, folder, and optionally frames, exclude (patient to reason), csv
        and name_key.
    images : path
        Folder to make, for ``{case}_0000.nii.gz``. A case is a phase or a frame of a patient.
    cases : path
        The table to write, one row for every case, and one for every excluded patient.
    finished : path
        Folder that keeps the files of every converted patient. The output files are hard links to them.
    code : str
        Digest of the converting code; after a change of it, every patient is converted again.
    threads : int
        Patients converted at once; each takes the memory of a cine.

    Raises
    ------
    CollectedErrors
        All faults of all patients; no output is left.
    InputError
        The fault lies in the folder, in the CSV or in the list of exclusions.
    """
    problem = check_folder(name, cohort)
    if problem:
        raise InputError(problem)
    found: list[RawPatient] = [*find_patients(cohort)]
    if not found:
        raise InputError(f"cohort {name}: {cohort['folder']} lists no patient; its layout is: {layout_of(cohort)}")
    patients = cast(list[NewPatient], exclude_patients(found, cohort.get("exclude", {}), name))
    convert = functools.partial(convert_patient, cohort=name, code=code, store=Path(finished))
    table = _convert_all(name, patients, convert, threads)
    forget_others(Path(finished), set(table["patient"]))
    shutil.rmtree(images, ignore_errors=True)  # a killed job may have left it
    Path(images).mkdir(parents=True)
    for patient in table.loc[~table["excluded"], "patient"].unique():
        for file in (Path(finished) / patient / "images").iterdir():
            link_or_copy(file, Path(images) / file.name)
    write_cases(table, cases)
    print(summary(name, table))


def _convert_all(name: str, patients: list[NewPatient], convert: functools.partial, threads: int) -> pd.DataFrame:
    clashes = name_clashes([*patients])
    convertible = [patient for patient in patients if patient.name not in clashes]
    rows, faults = convert_patients(convertible, convert, threads)
    stop_at_faults(name, clashes, faults)
    note_equal_images(rows)
    whole = {"slices": "Int64", "frame": "Int64"}
    table = pd.DataFrame(rows, columns=list(CASES)).astype(whole).sort_values("case")
    if table["excluded"].all():
        raise InputError(f"cohort {name}: all {len(table)} patients are excluded; see cohorts.{name}.exclude")
    return table


def note_equal_images(rows: Iterable[dict]) -> None:
    """Add `OF_ANOTHER` to the repairs of every case whose image is equal, voxel by voxel, to one of another patient.

    Parameters
    ----------
    rows : iterable of dict
        As `convert_patient` gives them; they are changed.
    """
    converted = [row for row in rows if "digest" in row]
    owners: dict[str, set[str]] = {}
    for row in converted:
        owners.setdefault(row["digest"], set()).add(row["patient"])
    for row in converted:
        if len(owners[row["digest"]]) > 1:
            row["repairs"] = ";".join(filter(None, [row["repairs"], OF_ANOTHER]))


def summary(name: str, table: pd.DataFrame) -> str:
    """Counts of what was found, converted and excluded, and warnings, by patients.

    Parameters
    ----------
    name : str
    table : DataFrame
        cases.csv.
    """
    excluded = table[table["excluded"].astype(bool)]
    kept = table.drop(excluded.index)
    patients = kept.drop_duplicates("patient")
    lines = [
        f"cohort {name}, without labels: {len(kept)} cases of {len(patients)} patients converted, {len(excluded)} "
        "patients excluded",
        *(f"excluded: {count} patients, {reason}" for reason, count in excluded["reason"].value_counts().items()),
        f"apex first in the source, reversed: {patients['flipped'].astype(bool).sum()} patients",
    ]
    words = Counter(
        word for _, own in kept.groupby("patient")["repairs"] for word in set(";".join(own).split(";")) if word
    )
    lines += [f"{word}: {count} patients" for word, count in sorted(words.items())]
    if words[UNDECIDED]:
        lines.append(
            f"WARNING: cohort {name}: of {words[UNDECIDED]} patients, the header does not tell base from apex, and "
            "there are no labels to ask: their slices keep the stored order, which should begin at the base; look at "
            "some"
        )
    if words[OF_ANOTHER]:
        lines.append(
            f"WARNING: cohort {name}: {words[OF_ANOTHER]} patients share an image; check that they are different"
        )
    return "\n".join(lines)
