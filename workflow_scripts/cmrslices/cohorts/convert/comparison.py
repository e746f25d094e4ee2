"""What the patients of a cohort share that each should have for itself, and which label none of them has."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from cmrslices.cohorts.convert.raw import RawCase, RawPatient, file_parts
from cmrslices.labels import LABELS

MOST_SHOWN = 10
"""Files or cases that one message lists by name."""


class Finding(NamedTuple):
    """What is odd in a cohort without being a fault.

    Attributes
    ----------
    word : str
        What the column ``repairs`` of cases.csv says of each case concerned.
    cases : list of str
    message : str
        For the log: what was found, in which cases, and what to do.
    """

    word: str
    cases: list[str]
    message: str


class _Use(NamedTuple):
    patient: str
    phase: str
    kind: str
    path: Path
    frame: int | None

    def __str__(self) -> str:
        return f"patient {self.patient} {self.phase} {self.kind} ({self.path.name})"


def shared_files(patients: Iterable[RawPatient], cohort: str) -> list[str]:
    """Faults of patients that are read from the same file, be it under one path, or through a link.

    A patient that is excluded does not count. Within one patient, a label that serves ED and ES, or that is its own
    image, is a fault too. ED and ES may lie in one file, as frames of it.

    Parameters
    ----------
    patients : iterable of RawPatient
    cohort : str
        Named in the remedy.

    Returns
    -------
    list of str
        One line for each file that is shared.
    """
    uses: dict[tuple[int, int], list[_Use]] = {}
    for patient in patients:
        for case in () if patient.excluded else patient.cases:
            for use in _uses(patient, case):
                try:
                    status = file_parts(use.path)[0].stat()
                except OSError:
                    continue  # reported when the file is read
                uses.setdefault((status.st_dev, status.st_ino), []).append(use)
    return [
        f"{_listed(map(str, users))} are the same file; give each case its own file, or leave a patient out: "
        f"cohorts.{cohort}.exclude"
        for users in uses.values()
        if _is_shared(users)
    ]


def _uses(patient: RawPatient, case: RawCase) -> list[_Use]:
    files = {"image": case.image, "label": case.label}
    return [_Use(patient.name, case.phase, kind, path, case.frame) for kind, path in files.items()]


def _is_shared(users: list[_Use]) -> bool:
    if len({use.patient for use in users}) > 1:
        return True
    # Equal images of one patient are found by their voxels.
    return len({use.frame for use in users}) < len(users) and any(use.kind == "label" for use in users)


def cohort_findings(rows: list[dict]) -> list[Finding]:
    """Findings for which the cases of a cohort are compared.

    Public data hold patients whose images or labels are equal, so that this is no fault.

    Parameters
    ----------
    rows : list of dict
        The rows of converted cases, each with case, patient and ``measured`` as
        `cmrslices.cohorts.convert.anatomy.measure_case` gives it.

    Returns
    -------
    list of Finding
    """
    images = _groups(rows, lambda row: row["measured"]["image_digest"])
    labels = [
        group
        for group in _groups(rows, lambda row: row["measured"]["label_digest"])
        if len({row["measured"]["image_digest"] for row in group}) > 1
    ]
    return [
        *(_equal(group, "image-of-another-patient", "the images are equal in every voxel") for group in images),
        *(_equal(group, "label-of-another-patient", "the labels are equal, but not the images") for group in labels),
        *_missing_labels(rows),
    ]


def _groups(rows: list[dict], key: Callable[[dict], str]) -> list[list[dict]]:
    same: dict[str, list[dict]] = {}
    for row in rows:
        same.setdefault(key(row), []).append(row)
    return [group for group in same.values() if len({row["patient"] for row in group}) > 1]


def _equal(group: list[dict], word: str, what: str) -> Finding:
    cases = [row["case"] for row in group]
    return Finding(word, cases, f"{_listed(cases)}: {what}; check that they are different patients")


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = [f"{len(every) - MOST_SHOWN} more"] if len(every) > MOST_SHOWN else []
    return " and ".join(every[:MOST_SHOWN] + more)


def _missing_labels(rows: list[dict]) -> list[Finding]:
    cases = [row["case"] for row in rows]
    found = {label for row in rows for label in row["measured"]["labels"]}
    return [
        Finding(
            f"no-{label}-in-the-cohort",
            cases,
            f"{label} is in no case: scores for it will be empty; if the data have it, check label_map",
        )
        for label in LABELS
        if cases and label not in found
    ]
