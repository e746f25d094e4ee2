"""The cohorts in numbers: patients, cases, slices, geometry, what was left out and what was repaired."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import pandas as pd

from cmrslices.cohorts.tables import read_slices, read_splits, read_text
from cmrslices.labels import TABLE_ORDER
from cmrslices.presentation import pages

SPLITS = ["train", "validation", "test"]
REVERSED = "apex first in the source, reversed"
GEOMETRY = {
    "pixel_mm": "Pixel side (mm)",
    "slice_distance_mm": "Slice distance (mm)",
    "columns_px": "Columns (px)",
    "rows_px": "Rows (px)",
    "slices": "Slices per case",
}
"""Heading of each measure of a case."""
COUNTS = (
    "Slices by region: base and apex are shares of the slices that carry a label, the rest of them is middle, and a "
    "slice without a label is non-cardiac. A case is one phase, ED or ES, of one patient."
)


def write_cohort_summary(
    cohorts: Mapping[str, str],
    cases: Sequence[str],
    splits: Sequence[str],
    slices: Sequence[str],
    labels: Sequence[str],
    counts: str | Path,
    left_out: str | Path,
    findings: str | Path,
    html: str | Path,
) -> None:
    """Summarise all cohorts as CSV, and as one HTML page.

    Parameters
    ----------
    cohorts : dict of name to title
        In the order of the rows.
    cases, splits, slices, labels : list of path
        Each cohort's cases.csv, splits.csv, slices.csv and folder of label files; only the headers of the label files
        are read.
    counts, left_out, findings, html : path
        To write: see `count_slices` and `measure` (in one table), `count_reasons` and `count_findings`.
    """
    found, parts = {}, []
    for name, *paths in zip(cohorts, cases, splits, slices, labels, strict=True):
        found[name] = read_text(paths[0])
        split_of = read_splits(paths[1])
        regions = read_slices(paths[2])[["case", "region"]]
        sizes = read_sizes(Path(paths[3]), split_of["case"])
        part = count_slices(split_of, regions).merge(measure(found[name], split_of, sizes), on="split")
        parts.append(part.assign(cohort=name))
    summary = pd.concat(parts, ignore_index=True)
    summary.insert(0, "cohort", summary.pop("cohort"))
    listed = pd.concat(found, names=["cohort"]).reset_index("cohort")
    reasons, noted = count_reasons(listed), count_findings(listed)

    summary.to_csv(counts, index=False, float_format="%.6g")
    reasons.to_csv(left_out, index=False)
    noted.to_csv(findings, index=False)
    Path(html).write_text(_page(listed, summary, reasons, noted, cohorts))


def read_sizes(labels: Path, cases: pd.Series) -> pd.DataFrame:
    """Columns and rows of every case, from the header of its label file: case, columns_px, rows_px."""
    shapes = [nib.Nifti1Image.from_filename(labels / f"{case}.nii.gz").shape[:2] for case in cases]
    return pd.DataFrame(shapes, columns=["columns_px", "rows_px"]).assign(case=cases.to_numpy())


def count_slices(splits: pd.DataFrame, slices: pd.DataFrame) -> pd.DataFrame:
    """Patients, cases, and slices of each region, by split.

    Parameters
    ----------
    splits : DataFrame
        case, patient, split.
    slices : DataFrame
        case, region.

    Returns
    -------
    DataFrame
        split, patients, cases, a column per region (non-cardiac too), total_slices.
    """
    people = splits.groupby("split").agg(patients=("patient", "nunique"), cases=("case", "size"))
    regions = slices.merge(splits, on="case").pivot_table(index="split", columns="region", aggfunc="size", fill_value=0)
    regions = regions.reindex(columns=list(TABLE_ORDER), fill_value=0)
    table = people.join(regions).assign(total_slices=regions.sum(axis=1))
    return table.reindex([split for split in SPLITS if split in table.index]).reset_index()


def measure(cases: pd.DataFrame, splits: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    """Smallest, median and largest geometry of the converted cases, by split.

    Parameters
    ----------
    cases : DataFrame
        cases.csv as text: case, slices, spacing_x_mm, spacing_y_mm, spacing_z_mm.
    splits : DataFrame
        case, split.
    sizes : DataFrame
        case, columns_px, rows_px.

    Returns
    -------
    DataFrame
        split, and {measure}_min, {measure}_median and {measure}_max for each measure of `GEOMETRY`. Where the two
        sides of a pixel differ, the longer one counts.
    """
    table = splits[["case", "split"]].merge(cases, on="case").merge(sizes, on="case")
    numbers = table[["slices", "spacing_x_mm", "spacing_y_mm", "spacing_z_mm"]].astype(float)
    table = table[["split", "columns_px", "rows_px"]].assign(
        pixel_mm=numbers[["spacing_x_mm", "spacing_y_mm"]].max(axis=1),
        slice_distance_mm=numbers["spacing_z_mm"],
        slices=numbers["slices"],
    )
    ranges = table.groupby("split")[list(GEOMETRY)].agg(["min", "median", "max"])
    return ranges.set_axis(["_".join(names) for names in ranges.columns], axis=1).reset_index()


def count_reasons(cases: pd.DataFrame) -> pd.DataFrame:
    """Patients and cases that are left out, by cohort and reason.

    Parameters
    ----------
    cases : DataFrame
        cohort, and cases.csv as text: case, patient, excluded, reason.
    """
    excluded = cases[cases["excluded"] == "True"]
    groups = excluded.groupby(["cohort", "reason"], sort=False)
    return groups.agg(patients=("patient", "nunique"), cases=("case", "size")).reset_index()


def count_findings(cases: pd.DataFrame) -> pd.DataFrame:
    """Count the converted cases with each repair or finding, by cohort.

    Findings that differ only in their numbers, such as that of a slice, are counted as one finding.

    Parameters
    ----------
    cases : DataFrame
        cohort, and cases.csv as text: case, excluded, flipped, repairs (separated by ``;``).

    Returns
    -------
    DataFrame
        cohort, finding, cases; in the order of the cohorts, the most frequent first.
    """
    kept = cases[cases["excluded"] != "True"]
    reversal = kept["flipped"].map({"True": REVERSED}).fillna("")
    words = (reversal + ";" + kept["repairs"]).str.split(";")
    noted = kept[["cohort", "case"]].assign(finding=words).explode("finding")
    noted = noted.assign(finding=noted["finding"].map(_without_numbers))
    noted = noted[noted["finding"] != ""].drop_duplicates()
    table = noted.groupby(["cohort", "finding"]).size().rename("cases").reset_index()
    order = pd.Categorical(table["cohort"], cases["cohort"].unique())
    table = table.assign(order=order).sort_values(["order", "cases", "finding"], ascending=[True, False, True])
    return table.drop(columns="order").reset_index(drop=True)


def _without_numbers(finding: str) -> str:
    return re.sub(r"(?<=-)[\d.]+(?=-|$)", "…", finding).replace("-", " ")


def _page(
    found: pd.DataFrame,
    summary: pd.DataFrame,
    reasons: pd.DataFrame,
    findings: pd.DataFrame,
    cohorts: Mapping[str, str],
) -> str:
    names = {**dict.fromkeys(TABLE_ORDER), "total_slices": "All slices"}
    headings = {name: title or name.capitalize() for name, title in names.items()}
    counts = _titled(summary, cohorts)[["Cohort", "Split", "Patients", "Cases", *headings.values()]]
    return pages.page(
        "Cohorts",
        pages.heading("Patients, cases and slices"),
        pages.paragraph(COUNTS),
        pages.table(counts),
        pages.heading("Geometry: smallest to largest case, and the median"),
        pages.table(_geometry(summary, cohorts)),
        pages.heading("Found and converted"),
        pages.table(_found(found, cohorts)),
        pages.heading("Left out, by reason"),
        pages.table(_titled(reasons, cohorts)) if len(reasons) else pages.paragraph("No patient was left out."),
        pages.heading("Repairs and findings in converted cases"),
        pages.table(_titled(findings, cohorts)) if len(findings) else pages.paragraph("There were none."),
    )


def _titled(table: pd.DataFrame, cohorts: Mapping[str, str]) -> pd.DataFrame:
    text = table.assign(cohort=table["cohort"].map(cohorts)).astype(str)
    return text.rename(columns=lambda name: name.replace("total_slices", "all slices").capitalize())


def _geometry(summary: pd.DataFrame, cohorts: Mapping[str, str]) -> pd.DataFrame:
    columns = {"Cohort": summary["cohort"].map(cohorts), "Split": summary["split"]}
    for name, title in GEOMETRY.items():
        parts = [summary[f"{name}_{end}"].map("{:.4g}".format) for end in ("min", "max", "median")]
        columns[title] = [_range(*row) for row in zip(*parts, strict=True)]
    return pd.DataFrame(columns)


def _range(smallest: str, largest: str, median: str) -> str:
    return smallest if smallest == largest else f"{smallest} to {largest} ({median})"


def _found(cases: pd.DataFrame, cohorts: Mapping[str, str]) -> pd.DataFrame:
    cases = cases.assign(left_out=cases["excluded"] == "True")
    groups = cases.groupby("cohort", sort=False)
    table = groups.agg(patients=("patient", "nunique"), cases=("case", "size"), left_out=("left_out", "sum"))
    table = table.assign(converted=table["cases"] - table["left_out"]).reset_index()
    titles = ["Cohort", "Patients found", "Cases found", "Cases left out", "Cases converted"]
    return table.assign(cohort=table["cohort"].map(cohorts)).astype(str).set_axis(titles, axis=1)
