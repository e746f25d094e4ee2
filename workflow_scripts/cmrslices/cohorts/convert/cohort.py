"""One cohort: every patient that is found is converted, excluded with a reason, or reported as a fault."""

import contextlib
import functools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import yaml

from cmrslices.cohorts.convert import FORMATS, check_folder
from cmrslices.cohorts.convert.anatomy import cohort_faults
from cmrslices.cohorts.convert.comparison import Finding, cohort_findings, shared_files
from cmrslices.cohorts.convert.finished import forget_others
from cmrslices.cohorts.convert.patient import convert_patient, safe_name
from cmrslices.cohorts.convert.raw import RawPatient
from cmrslices.cohorts.tables import CASES, write_cases
from cmrslices.runtime.errors import CollectedErrors, InputError
from cmrslices.runtime.files import link_or_copy
from cmrslices.runtime.parallel import map_progress


def convert_cohort(
    name: str, cohort: dict, images: str, labels: str, cases: str, finished: str, code: str, threads: int
) -> None:
    """Convert a raw cohort to the common layout: one label order, one affine per case, slice 0 at the base.

    A patient that an earlier conversion, finished or failed, has converted from the same files is not read again.

    Parameters
    ----------
    name : str
        The cohort's name in the configuration.
    cohort : dict
        The cohort's row of the configuration: format, folder, and optionally exclude (patient to reason), label_map
        (LVBP, LVM and RVBP to the source's values), csv and name_key.
    images, labels : path
        Folders to make, for ``{case}_0000.nii.gz`` and ``{case}.nii.gz``.
    cases : path
        The table to write, one row for every case found.
    finished : path
        Folder that keeps the files of every converted patient. The output files are hard links to them.
    code : str
        Digest of the converting code; after a change of it, every patient is converted again.
    threads : int
        Patients converted at once; each takes the memory of two stacks.

    Raises
    ------
    CollectedErrors
        All faults of all patients; no output is left.
    InputError
        The fault lies in the folder, in the CSV or in the list of exclusions.
    """
    patients = find_patients(name, cohort)
    source = FORMATS[cohort["format"]]
    convert = functools.partial(
        convert_patient,
        cohort=name,
        read=source.read_patient,
        label_map=source.label_map(cohort),
        code=code,
        store=Path(finished),
    )
    table, findings = _convert_all(name, patients, convert, threads, source.label_map(cohort))
    forget_others(Path(finished), set(table["patient"]))
    with _removed_on_failure(Path(images), Path(labels)):
        for patient in table.loc[~table["excluded"], "patient"].unique():
            for kind, folder in (("images", images), ("labels", labels)):
                for file in (Path(finished) / patient / kind).iterdir():
                    link_or_copy(file, Path(folder) / file.name)
        write_cases(table, cases)
    print(summary(name, table))
    for finding in findings:
        print(f"WARNING: cohort {name}: {finding.message}")


def find_patients(name: str, cohort: dict) -> list[RawPatient]:
    """Find the cohort's patients and mark those that the configuration leaves out.

    Parameters
    ----------
    name, cohort
        As in `convert_cohort`.

    Raises
    ------
    InputError
        The folder holds no patient in the format's layout, or the list of exclusions names a patient that is not found.
    """
    problem = check_folder(name, cohort)
    if problem:
        raise InputError(problem)
    source = FORMATS[cohort["format"]]
    patients = source.find_patients(cohort)
    if not patients:
        raise InputError(f"cohort {name}: {cohort['folder']} lists no patient; its layout is: {source.LAYOUT}")
    return exclude_patients(patients, cohort.get("exclude", {}), name)


def _convert_all(
    name: str, patients: list[RawPatient], convert: Callable, threads: int, label_map: dict[str, int]
) -> tuple[pd.DataFrame, list[Finding]]:
    clashes = name_clashes(patients)
    convertible = [patient for patient in patients if patient.name not in clashes]
    rows, faults = convert_patients(convertible, convert, threads)
    converted = [row for row in rows if "measured" in row]
    of_cohort = [*shared_files(convertible, name), *cohort_faults(converted, label_map)]
    stop_at_faults(name, clashes, faults, [f"cohort {name}: {line}" for line in of_cohort])
    findings = cohort_findings(converted)
    for row in converted:
        words = [finding.word for finding in findings if row["case"] in finding.cases]
        row["repairs"] = ";".join(filter(None, [row["repairs"], *words]))
    whole = {"slices": "Int64", "frame": "Int64"}
    table = pd.DataFrame(rows, columns=list(CASES)).astype(whole).sort_values("case")
    if table["excluded"].all():
        raise InputError(f"cohort {name}: all {len(table)} cases are excluded; see cohorts.{name}.exclude")
    return table, findings


def convert_patients(
    patients: Sequence[RawPatient], convert: Callable, threads: int
) -> tuple[list[dict], dict[str, list[str]]]:
    """Convert patients side by side.

    Parameters
    ----------
    patients : list of RawPatient
        Their names can be used, see `name_clashes`.
    convert : function
        Of a patient; it returns the rows of its cases, and its faults.
    threads : int

    Returns
    -------
    rows : list of dict
        Of all cases.
    faults : dict of str to list of str
        Patient to the faults for which the patient cannot be converted.
    """
    rows, faults = [], {}
    results = map_progress(convert, patients, threads, unit="patient")
    for patient, (own_rows, own_faults) in zip(patients, results, strict=True):
        rows += own_rows
        if own_faults:
            faults[patient.name] = own_faults
    return rows, faults


def stop_at_faults(
    cohort: str, clashes: dict[str, str], faults: dict[str, list[str]], of_cohort: Sequence[str] = ()
) -> None:
    """Stop the conversion if there is any fault, and print how to leave out the patients at fault.

    Parameters
    ----------
    cohort, clashes, faults
        As `fault_lines` takes them.
    of_cohort : list of str
        Faults that no single patient has, a line each.

    Raises
    ------
    CollectedErrors
        With a line for each fault.
    """
    lines = [*fault_lines(cohort, clashes, faults), *of_cohort]
    if faults:
        print(exclusions(cohort, faults))
    if lines:
        raise CollectedErrors(lines)


def fault_lines(cohort: str, clashes: dict[str, str], faults: dict[str, list[str]]) -> list[str]:
    """Describe every fault of a cohort, one line each.

    Parameters
    ----------
    cohort : str
    clashes : dict of str to str
        As `name_clashes` gives them.
    faults : dict of str to list of str
        Patient to the faults for which the patient cannot be converted.
    """
    remedy = f"or leave the patient out: cohorts.{cohort}.exclude"
    lines = [f"cohort {cohort}, patient {patient}: {clash}" for patient, clash in clashes.items()]
    for patient, own in faults.items():
        lines += [f"cohort {cohort}, patient {patient}: {fault} ({remedy})" for fault in own]
    return lines


def exclusions(cohort: str, faults: dict[str, list[str]]) -> str:
    """YAML that, laid over the configuration, leaves out the patients at fault, each with the fault as the reason."""
    reasons = {patient: " | ".join(own) for patient, own in faults.items()}
    text = yaml.safe_dump({"cohorts": {cohort: {"exclude": reasons}}}, width=1000, allow_unicode=True)
    return f"To leave out all patients at fault, lay this over the configuration:\n\n{text}"


def exclude_patients(patients: list[RawPatient], reasons: dict, cohort: str) -> list[RawPatient]:
    """Mark the patients that the configuration leaves out.

    Parameters
    ----------
    patients : list of RawPatient
    reasons : dict
        Name of a patient, as the source spells it, to reason.
    cohort : str
        Named in the error.

    Raises
    ------
    InputError
        The reasons name a patient that is not found.
    """
    reasons = {str(patient): reason or "no reason given" for patient, reason in reasons.items()}
    strangers = reasons.keys() - {patient.name for patient in patients}
    if strangers:
        raise InputError(f"cohorts.{cohort}.exclude: no patient {', '.join(sorted(strangers))} is found; remove it")
    return [
        replace(patient, excluded=reasons[patient.name], fault="") if patient.name in reasons else patient
        for patient in patients
    ]


def name_clashes(patients: list[RawPatient]) -> dict[str, str]:
    """Fault of each patient whose name cannot be used for a case.

    Such a name is empty, or it is listed twice, or it equals another patient's name after `safe_name`.
    """
    sources: dict[str, list[Path]] = {}
    for patient in patients:
        sources.setdefault(patient.name, []).append(patient.source)
    safe = Counter(safe_name(name) for name in sources)
    faults: dict[str, str] = {}
    for name, listed in sources.items():
        where = " and ".join(sorted({str(path) for path in listed}))
        if not name:
            faults[name] = f"{where}: a patient has no name; give it one"
        elif len(listed) > 1:
            faults[name] = f"{where}: the patient is listed twice; list it once"
        elif safe[safe_name(name)] > 1:
            faults[name] = f"{where}: another patient becomes '{safe_name(name)}' in file names too; rename one"
    return faults


def summary(name: str, table: pd.DataFrame) -> str:
    """Counts of the cases found, converted and excluded, and warnings for cases whose direction is doubtful.

    Parameters
    ----------
    name : str
    table : DataFrame
        cases.csv.
    """
    excluded = table[table["excluded"].astype(bool)]
    kept = table.drop(excluded.index)
    lines = [
        f"cohort {name}: {len(table)} cases of {table['patient'].nunique()} patients found"
        f" = {len(kept)} converted + {len(excluded)} excluded"
    ]
    lines += [f"excluded: {count} cases, {reason}" for reason, count in excluded["reason"].value_counts().items()]
    lines += [f"apex first in the source, reversed: {kept['flipped'].astype(bool).sum()} cases"]
    words = Counter(word for words in kept["repairs"] for word in words.split(";") if word)
    lines += [f"{word}: {count} cases" for word, count in sorted(words.items())]
    doubtful = kept[kept["repairs"].str.contains("direction-")]
    lines += [f"WARNING: {row.case}: {row.repairs}; look at it" for row in doubtful.itertuples()]
    return "\n".join(lines)


@contextlib.contextmanager
def _removed_on_failure(*folders: Path) -> Iterator[None]:
    try:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)  # a killed job may have left it
            folder.mkdir(parents=True)
        yield
    except BaseException:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        raise
