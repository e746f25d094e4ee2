"""Cardiac function as tables: agreement with the reference, errors by region and by approach, and every patient."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cmrslices.cohorts.tables import read_cases
from cmrslices.evaluation.function import patient_function, regional_volumes, with_volumes
from cmrslices.evaluation.function_change_tables import write_function_changes
from cmrslices.evaluation.function_changes import function_changes
from cmrslices.evaluation.jackknife import MINIMUM_PATIENTS
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.volume_agreement import volume_agreement
from cmrslices.evaluation.volume_errors import ALL_SLICES, volume_errors
from cmrslices.function import QUANTITIES, with_unit
from cmrslices.labels import TABLE_ORDER
from cmrslices.presentation import tables
from cmrslices.presentation.paper import read_paper
from cmrslices.presentation.writing import Files, write_table

CONVENTIONS = (
    "A volume is the sum of a label's areas over all slices, times the distance of the slice centres. The label map "
    "decides which slices count; there are no end caps. LV mass: volume of the LVM at ED times 1.05 g/ml"
)
ERRORS = (
    "Mean of prediction - reference over the patients (and mean of its size) in ml, and in g for the LV mass, by the "
    "region of the slices that it comes from. Non-cardiac slices carry no label in the reference, so that all that is "
    "predicted there is an error. The means of the regions sum to that of all slices, which is the bias. "
    f"{CONVENTIONS}."
)
COLUMNS = {
    "patients": "Patients",
    "bias": "Bias",
    "sd": "SD",
    "limits": "95 % limits",
    "mean_absolute_error": "Mean absolute error",
    "median_absolute_error": "Median absolute error",
    "icc": "ICC(2,1)",
    "r": "r",
    "missing_phase": "One phase only",
    "undefined": "Undefined",
    "es_larger": "ES above ED",
}
CORRELATIONS = ("icc", "r")
ORIGIN = ("group", "vendor")


def write_cardiac_function(
    scores: list[str],
    cases: list[str],
    cohorts: Mapping[str, str],
    approaches: Mapping[str, str],
    baseline: str,
    primary: Mapping[str, str],
    literature: str | Path,
    table: Files,
    errors: Files,
    changes: Files,
    patients: str | Path,
) -> None:
    """Write the agreement of volumes, ejection fractions and LV mass, their errors, and every patient.

    Parameters
    ----------
    scores : list of path
        The scores of every approach and cohort.
    cases : list of path
        cases.csv of each cohort.
    cohorts, approaches : dict of name to title
        In the order of the rows.
    baseline : str
        The approach that the others are compared with.
    primary : dict of str to str
        Each approach of the primary comparisons to its control.
    literature : path
        Published errors, to be read beside ours.
    table, errors, changes : Files
        To write: `volume_agreement`, `volume_errors` and `function_changes`. In LaTeX, the first has a row per cohort
        and approach.
    patients : path
        The CSV to write: `patient_function`, with the patient's group and vendor where a cohort has them.

    Raises
    ------
    InputError
        See `with_volumes`.
    """
    listed = {cohort: read_cases(path) for cohort, path in zip(cohorts, cases, strict=True)}
    volumes = regional_volumes(with_volumes(read_scores(scores, cohorts, approaches), listed))
    function = patient_function(volumes)
    agreement, regions = volume_agreement(function), volume_errors(volumes)

    titles = {"cohort": cohorts, "approach": approaches}
    caption = agreement_caption(agreement, cohorts, read_paper(literature))
    for file in table:
        cells = compact_cells if Path(file).suffix == ".tex" else agreement_cells
        write_table([file], agreement, "Cardiac function", caption, cells(agreement, titles), label="tab:function")
    write_table(errors, regions, "Errors of the volumes by region", ERRORS, errors_cells(regions, titles))
    compared = function_changes(function.assign(run=""), baseline, primary)
    write_function_changes(changes, compared, cohorts, approaches)
    Path(patients).write_text(tables.csv(with_origin(function, listed)), encoding="utf-8")


def with_origin(function: pd.DataFrame, cases: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Add each patient's group and vendor; a column that is empty in all cohorts is left out.

    Parameters
    ----------
    function : DataFrame
        As `patient_function` gives it.
    cases : dict of cohort to DataFrame
        Each cohort's cases.csv.
    """
    listed = pd.concat([table.assign(cohort=cohort) for cohort, table in cases.items()])
    known = listed.drop_duplicates(["cohort", "patient"]).set_index(["cohort", "patient"])
    keys = pd.MultiIndex.from_frame(function[["cohort", "patient"]].astype(str))
    origin = known.reindex(index=keys, columns=list(ORIGIN)).fillna("").reset_index(drop=True)
    return function.join(origin.loc[:, (origin != "").any()])


def agreement_cells(agreement: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A row per cohort, quantity and approach.

    Parameters
    ----------
    agreement : DataFrame
        As `volume_agreement` gives it.
    titles : dict
        Of cohort and approach: name to title.
    """
    rows = _by_quantity(agreement)
    cells = _places(rows, titles)
    for name, title in COLUMNS.items():
        if name == "limits":
            cells[title] = [_range(*row) for row in zip(rows["low"], rows["high"], strict=True)]
        elif rows[name].dtype.kind == "i":
            cells[title] = rows[name].astype(str)
        else:
            cells[title] = [tables.number(value, 3 if name in CORRELATIONS else 2) for value in rows[name]]
    return cells


def compact_cells(agreement: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A row per cohort and approach, a column per quantity: ``bias (SD)``; the arguments of `agreement_cells`."""
    text = [tables.mean_sd(*row) for row in zip(agreement["bias"], agreement["sd"], strict=True)]
    keys = ["cohort", "approach"]
    rows = pd.MultiIndex.from_frame(agreement[keys].drop_duplicates())
    wide = agreement.assign(text=text).pivot(index=keys, columns="quantity", values="text")
    wide = wide.reindex(index=rows, columns=list(QUANTITIES)).rename(columns=with_unit).rename_axis(columns=None)
    names = rows.to_frame(index=False)
    cells = wide.reset_index(drop=True)
    cells.insert(0, "Dataset", tables.sparse(tables.titled(names["cohort"], titles["cohort"])))
    cells.insert(1, "Approach", tables.titled(names["approach"], titles["approach"]))
    return cells


def errors_cells(regions: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A row per cohort, quantity and approach, a column per region: ``mean error (mean absolute error)``.

    Parameters
    ----------
    regions : DataFrame
        As `volume_errors` gives it.
    titles : dict
        Of cohort and approach: name to title.
    """
    means = zip(regions["mean_error"], regions["mean_absolute_error"], strict=True)
    keys = ["cohort", "approach", "quantity"]
    texts = regions.assign(text=[tables.mean_sd(*row) for row in means])
    wide = texts.pivot(index=keys, columns="region", values="text")[[*TABLE_ORDER, ALL_SLICES]]
    rows = _by_quantity(regions.drop_duplicates(keys))
    wide = wide.loc[pd.MultiIndex.from_frame(rows[keys])].reset_index(drop=True).rename_axis(columns=None)
    cells = _places(rows, titles).assign(Patients=rows["patients"].astype(str))
    return cells.join(wide.rename(columns={ALL_SLICES: "all slices"}).rename(columns=str.capitalize))


def agreement_caption(agreement: pd.DataFrame, cohorts: Mapping[str, str], literature: pd.DataFrame) -> str:
    """What the table shows, its conventions, what is missing in it, and published numbers.

    Parameters
    ----------
    agreement : DataFrame
        As `volume_agreement` gives it.
    cohorts : dict of name to title
    literature : DataFrame
        who, measure, quantity, value, source.
    """
    most = agreement.groupby("cohort", observed=True)["patients"].max()
    few = [title for name, title in cohorts.items() if name in most and most[name] < MINIMUM_PATIENTS]
    return " ".join(
        [
            "Prediction - reference, in ml, in percentage points of EF, or in g. The LaTeX table holds bias (SD) only.",
            f"{CONVENTIONS}.",
            "95 % limits: limits of agreement, bias - 1.96 SD to bias + 1.96 SD. ICC(2,1): absolute agreement, single "
            "measures. One phase only: patients without the ED or ES that the quantity needs; they do not count. "
            "Undefined: patients without an EF because their EDV is 0 in the reference or in the prediction. "
            "ES above ED: patients whose ESV is above their EDV in the reference or in the prediction; they count.",
            f"With fewer than {MINIMUM_PATIENTS} patients there are no limits, no ICC and no r"
            + (f" ({', '.join(few)})." if few else "."),
            literature_text(literature),
        ]
    )


def literature_text(literature: pd.DataFrame) -> str:
    """Published errors as sentences, a sentence for each measure of each source.

    Examples
    --------
    >>> rows = {"quantity": ["LVEDV", "LVEF"], "value": ["15.2 to 28.4", "4.6 to 7.5"]}
    >>> literature_text(pd.DataFrame(rows).assign(who="readers", measure="error", source="A, 2015"))
    'Published, readers, error: LVEDV 15.2 to 28.4 ml, LVEF 4.6 to 7.5 % (A, 2015).'
    """
    sentences = []
    for (who, measure, source), part in literature.groupby(["who", "measure", "source"], sort=False):
        values = [
            f"{row.quantity} {row.value}" + ("" if measure == "r" else f" {QUANTITIES[row.quantity]}")
            for row in part.itertuples()
        ]
        sentences.append(f"Published, {who}, {measure}: {', '.join(values)} ({source}).")
    return " ".join(sentences)


def _by_quantity(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of one cohort and quantity one below the other, so that approaches can be compared."""
    order = pd.Categorical(table["quantity"], list(QUANTITIES))
    rows = table.assign(order=order).sort_values(["cohort", "order", "approach"], ignore_index=True)
    return rows.drop(columns="order")


def _places(rows: pd.DataFrame, titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Dataset": tables.titled(rows["cohort"], titles["cohort"]),
            "Quantity": rows["quantity"].map(with_unit),
            "Approach": tables.titled(rows["approach"], titles["approach"]),
        }
    )


def _range(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{tables.number(low)} to {tables.number(high)}"
