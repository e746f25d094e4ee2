"""The slices of one cohort that the report shows: read, and drawn with the prediction of every approach."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cmrslices.evaluation.scores import read_scores
from cmrslices.presentation import figures, pages, tables
from cmrslices.report.overlays import Slice, draw_slices, read_slice
from cmrslices.report.selection import label_scores, median_slices, worst_cases

LISTED, DRAWN = 10, 3
"""How many of the worst cases of each region are listed in the table, and how many have a picture."""
OF_PATIENTS = (
    "These are pictures of patients, unless the data are the demo's: keep them where the data may be, and share them "
    "only as the licence of the data allows."
)
LEGEND = (
    "Outlined: the reference; filled: the prediction; below: DSC (%) of each label. Slices count from 0 at the base. "
    "Predictions far from the reference may lie outside the picture; the DSC counts them."
)


@dataclass(frozen=True)
class Segmented:
    """A cohort and its segmentations.

    Attributes
    ----------
    approaches : dict of name to title
    images, references : path
        Folders of images and label files.
    predictions : list of path
        Folder of label files of each approach, in the order of `approaches`.
    scores : DataFrame
        Of every approach, as `read_scores` gives them; at least those of the cases that are shown.
    """

    approaches: Mapping[str, str]
    images: str | Path
    references: str | Path
    predictions: Sequence[str | Path]
    scores: pd.DataFrame

    def slice(self, case: str, number: int, heading: str) -> Slice:
        """Read one slice, counted from 0 at the base, with its reference and all its predictions."""
        image, pixel_mm = read_slice(Path(self.images, f"{case}_0000.nii.gz"), number)
        reference, _ = read_slice(Path(self.references, f"{case}.nii.gz"), number)
        folders = zip(self.approaches.values(), self.predictions, strict=True)
        predictions = {title: read_slice(Path(folder, f"{case}.nii.gz"), number)[0] for title, folder in folders}
        dsc = {self.approaches[name]: values for name, values in label_scores(self.scores, case, number).items()}
        return Slice(f"{heading}: {case}, slice {number}", image, pixel_mm, reference, predictions, dsc)


def write_examples(
    scores: Sequence[str],
    approaches: Mapping[str, str],
    baseline: str,
    images: str,
    references: str,
    predictions: Sequence[str],
    title: str,
    html: str,
    png: str,
) -> None:
    """Draw one slice of each region of a cohort, chosen by `median_slices` of the baseline.

    Parameters
    ----------
    scores : list of path
        Of each approach on the cohort, in the order of `approaches`.
    approaches, images, references, predictions
        See `Segmented`.
    baseline : str
        The approach by which slices are chosen.
    title : str
        Title of the cohort.
    html, png : path
        To write.
    """
    chosen = median_slices(read_scores([scores[list(approaches).index(baseline)]]))
    cohort = Segmented(approaches, images, references, predictions, scores_of(chosen["case"], scores, approaches))
    slices = [
        cohort.slice(row.case, row.slice, f"{row.region.capitalize()}, median of {row.slices} slices")
        for row in chosen.itertuples()
    ]
    figure = draw_slices(slices)
    figures.save(figure, png)
    caption = (
        f"A test slice of each region: the one of median DSC by {approaches[baseline]}, mean over the labels that the "
        f"reference carries. {LEGEND}"
    )
    parts = [
        pages.paragraph(caption),
        pages.paragraph(OF_PATIENTS),
        pages.picture(figures.web_picture(figure), caption),
    ]
    Path(html).write_text(pages.page(f"Example slices, {title}", *parts))


def write_worst_cases(
    scores: Sequence[str],
    approaches: Mapping[str, str],
    baseline: str,
    images: str,
    references: str,
    predictions: Sequence[str],
    title: str,
    csv: str,
    html: str,
    pictures: Mapping[str, str],
) -> None:
    """List the worst cases of each region of a cohort, and draw the worst slice of the first few; see `worst_cases`.

    Parameters
    ----------
    scores, approaches, baseline, images, references, predictions, title
        As in `write_examples`.
    csv, html : path
        The table to write, DSC in %, and the page of table and pictures.
    pictures : dict of region to path
        PNG files to write.
    """
    worst = worst_cases(read_scores([scores[list(approaches).index(baseline)]]), LISTED)
    cohort = Segmented(approaches, images, references, predictions, scores_of(worst["case"], scores, approaches))
    table = beside_approaches(worst, cohort.scores)
    table.to_csv(csv, index=False, float_format="%.6g")
    caption = (
        f"The {LISTED} cases of lowest mean DSC (%) by {approaches[baseline]} in each region, over the region's slices "
        "and the labels that their reference carries; every approach on the same slices. Worst slice: that of lowest "
        "mean DSC, counted from 0 at the base. Descriptive: no test, no stars."
    )
    parts = [pages.paragraph(caption), pages.table(layout(table, approaches))]
    parts += [pages.heading("Pictures"), pages.paragraph(f"The worst slice of the first {DRAWN}. {LEGEND}")]
    parts += [pages.paragraph(OF_PATIENTS)]
    for region, png in pictures.items():
        rows = worst[(worst["region"] == region) & (worst["rank"] <= DRAWN)]
        slices = [
            cohort.slice(row.case, row.slice, f"{region.capitalize()}, rank {row.rank}") for row in rows.itertuples()
        ]
        figure = draw_slices(slices)
        figures.save(figure, png)
        parts.append(pages.picture(figures.web_picture(figure), f"Worst cases, {region}"))
    Path(html).write_text(pages.page(f"Worst cases, {title}", *parts))


def scores_of(cases: Collection[str], scores: Sequence[str], approaches: Mapping[str, str]) -> pd.DataFrame:
    """The scores of these cases by every approach.

    One file is read at a time, because the scores of a large cohort need much memory.
    """
    parts = [table[table["case"].isin(cases)] for table in map(read_scores, ([path] for path in scores))]
    table = pd.concat([part.astype({"approach": str}) for part in parts], ignore_index=True)
    return table.assign(approach=pd.Categorical(table["approach"], list(approaches)))


def beside_approaches(worst: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The worst cases with every approach's mean DSC (%) in the same region of the same case.

    Parameters
    ----------
    worst : DataFrame
        As `worst_cases` gives it.
    scores : DataFrame
        Of every approach, as `read_scores` gives them.

    Returns
    -------
    DataFrame
        region, rank, case, slices, worst_slice, and a column per approach.
    """
    carried = scores[scores["case"].isin(worst["case"])].dropna(subset="dsc").astype({"region": str})
    means = 100 * carried.pivot_table(index=["region", "case"], columns="approach", values="dsc", observed=True)
    means.columns = list(map(str, means.columns))
    names = worst[["region", "rank", "case", "slices", "slice"]].rename(columns={"slice": "worst_slice"})
    return names.merge(means.reset_index(), on=["region", "case"])


def layout(table: pd.DataFrame, approaches: Mapping[str, str]) -> pd.DataFrame:
    """Cells of the table: a row per region and case."""
    names = {"Region": tables.sparse(table["region"].str.capitalize()), "Rank": table["rank"].astype(str)}
    names |= {
        "Case": table["case"],
        "Slices": table["slices"].astype(str),
        "Worst slice": table["worst_slice"].astype(str),
    }
    return pd.DataFrame(names | {title: table[name].map(tables.number) for name, title in approaches.items()})
