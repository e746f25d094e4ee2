"""The page of a cohort: every patient as strips of slices, with the flags and their reasons, the worst first."""

from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cmrslices.patients.flag_worth import ALL_COHORTS, ANY, TITLES, read_flag_scores
from cmrslices.patients.flags import FIXED_LIMITS, OF_PATIENT
from cmrslices.patients.strips import Strip, draw_strips
from cmrslices.presentation import figures, pages, tables
from cmrslices.report.pictures import OF_PATIENTS
from cmrslices.runtime.nifti import read_volume
from cmrslices.runtime.parallel import map_progress

NOT_MEASURED = "not measured"
COLUMNS = 12
"""Most slices in a row."""
BAD_ONES = "Bad among those raised"
EXPLANATION = (
    "A flag is a reason to look at a slice, found in the label map without a reference. It never changes a label, and "
    "a slice without a flag may be wrong, too. Patients with the most flagged slices come first; of equal ones, those "
    "with the most flags of the whole patient. AUROC: how well the flag's score finds slices with a DSC below 70 % "
    "where there are references (0.5: not at all, 1: all), with a 95 % interval over patients; beside it, how many of "
    "the slices with the flag were so bad there."
)
LEGEND = (
    "Each row is a stack from base to apex, with its slices counted from 0. Outlined: LVBP red, LVM yellow, RVBP blue. "
    "Framed: slices with a flag."
)


class Patient(NamedTuple):
    """What the page shows of one patient.

    Attributes
    ----------
    name : str
    cases : list of str
    raised : DataFrame
        Its flags, as in qc.csv.
    """

    name: str
    cases: list[str]
    raised: pd.DataFrame

    def flagged(self, case: str) -> set[int]:
        """Slices of a case that have a flag."""
        return set(self.raised.loc[self.raised["case"] == case, "slice"].astype(int))

    @property
    def slices(self) -> int:
        """Number of flagged slices."""
        return sum(len(self.flagged(case)) for case in self.cases)

    @property
    def of_whole(self) -> int:
        """Number of flags that name no slice."""
        return int((self.raised["case"] == "").sum())


def write_page(
    raised: str | Path,
    scores: str | Path,
    worth: str | Path | None,
    limits: Mapping[str, float],
    images: str | Path,
    predictions: str | Path,
    approach: str,
    cohort: str,
    html: str | Path,
    threads: int,
) -> None:
    """Write the page of one approach and cohort.

    Parameters
    ----------
    raised, scores : path
        What `cmrslices.patients.flags.flag_cohort` writes.
    worth : path or None
        What `cmrslices.patients.flag_worth.write_worth` writes; None where no cohort has references.
    limits : dict of flag to float
        Of the flags that are not in `FIXED_LIMITS`.
    images, predictions : path
        Folders of the cohort's images and of the label maps.
    approach, cohort : str
        Titles.
    html : path
        To write.
    threads : int
        Processes that draw; each holds one patient at a time.
    """
    rows = read_raised(raised)
    of_slices = read_flag_scores(scores)
    people = worst_first(patients_of(rows, of_slices))
    columns = min(int(of_slices["slice"].max()) + 1, COLUMNS)
    draw = partial(_picture, images=Path(images), predictions=Path(predictions), columns=columns)
    pictures = map_progress(draw, people, threads, unit="patient")
    flags = overview(rows, of_slices, None if worth is None else pd.read_csv(worth), {**FIXED_LIMITS, **limits})
    with_some = sum(len(person.raised) > 0 for person in people)
    parts = [
        pages.paragraph(EXPLANATION),
        pages.paragraph(OF_PATIENTS),
        pages.table(flags),
        pages.paragraph(f"{with_some} of {len(people)} patients have a flag. {LEGEND}"),
    ]
    for person, picture in zip(people, pictures, strict=True):
        parts += [pages.heading(heading(person)), picture, reasons(person.raised)]
    Path(html).write_text(pages.page(f"Quality flags, {approach}, {cohort}", *parts), encoding="utf-8")


def read_raised(path: str | Path) -> pd.DataFrame:
    """Read qc.csv; an empty slice is missing."""
    names = dict.fromkeys(["patient", "case", "label", "flag", "reason"], str)
    return pd.read_csv(path, dtype={**names, "slice": "Int64"}, keep_default_na=False, na_values={"slice": ""})


def patients_of(raised: pd.DataFrame, scores: pd.DataFrame) -> list[Patient]:
    """Return all patients of a cohort, also those without a flag.

    Parameters
    ----------
    raised, scores : DataFrame
        As `read_raised` and `read_flag_scores` give them.
    """
    cases = scores.drop_duplicates("case")
    return [
        Patient(name, part["case"].tolist(), raised[raised["patient"] == name])
        for name, part in cases.groupby("patient")
    ]


def worst_first(patients: list[Patient]) -> list[Patient]:
    """Order patients by flagged slices, then by flags of the whole patient, both falling, then by name."""
    return sorted(patients, key=lambda person: (-person.slices, -person.of_whole, person.name))


def heading(person: Patient) -> str:
    """Name a patient and say how much is flagged."""
    slices = f"{person.slices} flagged slice{'' if person.slices == 1 else 's'}"
    whole = f", {person.of_whole} of the whole patient" if person.of_whole else ""
    return f"{person.name}: {slices}{whole}" if len(person.raised) else f"{person.name}: no flag"


def overview(
    raised: pd.DataFrame, scores: pd.DataFrame, worth: pd.DataFrame | None, limits: Mapping[str, float]
) -> pd.DataFrame:
    """Cells of the table of all flags: limit, how often each is raised, and what it is worth.

    Parameters
    ----------
    raised, scores : DataFrame
        As `read_raised` and `read_flag_scores` give them.
    worth : DataFrame or None
        As `write_worth` writes it as CSV. The numbers are those over all labelled cohorts.
    limits : dict of flag to float
        Of all flags.
    """
    aurocs, precisions = {}, {}
    if worth is not None:
        known = worth[
            worth["cohort"] == (ALL_COHORTS if ALL_COHORTS in set(worth["cohort"]) else worth["cohort"].iloc[0])
        ]
        aurocs = {
            row.flag: tables.with_interval(row.auroc, row.auroc_low, row.auroc_high) for row in known.itertuples()
        }
        precisions = {row.flag: f"{row.raised_bad} of {row.raised}" for row in known.itertuples() if row.raised}
    rows = []
    for flag, title in TITLES.items():
        own = raised if flag == ANY else raised[raised["flag"] == flag]
        judged = flag == ANY or scores[flag].notna().any()
        named = own.dropna(subset="slice").drop_duplicates(["case", "slice"])
        rows.append(
            {
                "Flag": title,
                "Raised above": f"{limits[flag]:g}" if flag in limits else "",
                "Patients": str(own["patient"].nunique()) if judged else "cannot be judged",
                "Slices": str(len(named)) if judged and flag not in OF_PATIENT else "",
                "AUROC": aurocs.get(flag, NOT_MEASURED),
                BAD_ONES: precisions.get(flag, ""),
            }
        )
    return pd.DataFrame(rows)


def reasons(raised: pd.DataFrame) -> str:
    """The flags of a patient as a list, those of one slice in one line."""
    rows = raised.sort_values(["case", "slice"], kind="stable")
    lines = []
    for (phase_case, number), part in rows.groupby(["case", rows["slice"].fillna(-1)], sort=False):
        place = "Patient" if number == -1 else f"{phase_case}, slice {number}"
        lines.append(f"<li><b>{escape(place)}</b>: {escape('; '.join(part['reason']))}</li>")
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _picture(person: Patient, images: Path, predictions: Path, columns: int) -> str:
    strips = []
    for case in person.cases:
        image, labels = read_volume(images / f"{case}_0000.nii.gz"), read_volume(predictions / f"{case}.nii.gz")
        shown = labels.voxels.astype(np.uint8)
        strips.append(Strip(case, image.voxels, shown, image.spacing_mm, person.flagged(case)))
    return pages.picture(figures.web_picture(draw_strips(strips, columns)), f"Slices of {person.name}")
