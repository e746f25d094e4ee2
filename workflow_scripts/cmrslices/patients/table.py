"""The function of all new patients in one table: every cohort without labels, by every approach that segments it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cmrslices.cohorts.tables import read_text
from cmrslices.function import COLUMNS, QUANTITIES
from cmrslices.presentation import tables
from cmrslices.presentation.writing import Files, write_table

CAPTION = (
    "By the label maps of the approaches; there is no reference. A volume is the sum of a label's areas over all "
    "slices, times the distance of the slice centres, without end caps; LV mass is 1.05 g/ml of the LVM at ED. ED and "
    "ES are given, or found as the frames with the largest and the smallest LVBP in the middle slices, on a curve that "
    "is smoothed over the cycle. An empty cell is undefined; the note says why."
)


def write_patients(
    functions: Sequence[str | Path], cohorts: Mapping[str, str], approaches: Mapping[str, str], table: Files
) -> None:
    """Write the tables of several cohorts and approaches as one.

    Parameters
    ----------
    functions : sequence of path
        The function.csv of each cohort and approach.
    cohorts, approaches : dict of name to title
    table : Files
        To write.
    """
    rows = pd.concat([read_text(path) for path in functions], ignore_index=True)
    cells = pd.DataFrame(
        {
            "Dataset": tables.titled(rows["cohort"], cohorts),
            "Approach": tables.titled(rows["approach"], approaches),
            "Patient": rows["patient"],
            **{phase: rows[phase] for phase in ("ED", "ES")},
            **{
                f"{name} ({unit})": pd.to_numeric(rows[COLUMNS[name]]).map(tables.number)
                for name, unit in QUANTITIES.items()
            },
            "Note": rows["note"],
        }
    )
    write_table(table, rows, "New patients", CAPTION, cells)
