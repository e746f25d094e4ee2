"""Table 2: precision and recall of the classifiers, and the selected one."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from cmrslices.classification.confusion import draw_confusion
from cmrslices.classification.metrics import WEIGHTED, best_network, precision_recall, read_predicted, read_reference
from cmrslices.presentation import tables
from cmrslices.presentation.figures import write_figure
from cmrslices.presentation.paper import beside_paper, read_paper
from cmrslices.presentation.writing import Files, write_table

METRICS = ["precision", "recall"]


def write_table2(
    probabilities: list[str],
    networks: Mapping[str, str],
    slices: str | Path,
    splits: str | Path,
    select_on: str,
    paper: str | Path,
    selected: str | Path,
    table: Files,
    against_paper: Files,
    confusion: Files,
) -> None:
    """Select the classifier; write Table 2, Table 2 beside the paper's, and the confusion matrices.

    Parameters
    ----------
    probabilities : list of path
        Region probabilities of the training cohort, in the order of `networks`.
    networks : dict of name to title
    slices, splits : path
        Of the training cohort.
    select_on : str
        The split on which the networks are compared.
    paper : path
        The paper's Table 2.
    selected : path
        To write: the name of the selected network, the split, and its precision and recall in %.
    table, against_paper, confusion : Files
        To write; precision and recall are in %.

    Raises
    ------
    InputError
        When the split is empty or a slice of it has no probabilities.
    """
    reference = read_reference(slices, splits, select_on)
    predicted = {name: read_predicted(path, reference) for name, path in zip(networks, probabilities, strict=True)}
    metrics = {name: precision_recall(reference["region"], regions) for name, regions in predicted.items()}
    judged = pd.concat(metrics, names=["network"]).reset_index("network")
    best = best_network(judged)
    weighted = judged[judged["region"] == WEIGHTED].melt("network", METRICS, "metric", "percent")
    paper_values = read_paper(paper).melt("network", METRICS, "metric", "percent")
    beside = beside_paper(weighted, paper_values, ["network", "metric"], ["percent"])

    caption = _caption(reference, select_on)
    numbers = judged.assign(selected=judged["network"] == best)
    cells = layout(judged, networks)
    bold = pd.DataFrame({networks[best]: [True] * len(cells)})
    beside_caption = f"Table 2 beside the paper's: weighted averages (%); difference: ours minus the paper's. {caption}"
    beside_cells = tables.tidy_cells(beside, {"network": networks})
    matrices = {networks[name]: regions for name, regions in predicted.items()}
    picture = draw_confusion(reference["region"].to_numpy(), matrices, networks[best])

    write_table(table, numbers, "Table 2", caption, cells, bold, label="tab:classifiers")
    write_table(against_paper, beside, "Table 2 against the paper", beside_caption, beside_cells)
    write_figure(confusion, "Confusion matrices", picture)
    Path(selected).write_text(yaml.safe_dump(_choice(judged, best, select_on), sort_keys=False))


def layout(table: pd.DataFrame, networks: Mapping[str, str]) -> pd.DataFrame:
    """Arrange the cells as in the paper: a column per network; the weighted averages first, then each region."""
    columns = {}
    for name, title in networks.items():
        part = table[table["network"] == name]
        columns[title] = [tables.number(value) for value in part[METRICS].to_numpy().ravel()]
    regions = table["region"].unique()
    rows = [
        f"{metric.capitalize()} [%]" + ("" if region == WEIGHTED else f", {region}")
        for region in regions
        for metric in METRICS
    ]
    return pd.DataFrame({"": rows, **columns})


def _caption(reference: pd.DataFrame, split: str) -> str:
    return (
        "Precision and recall (%) of the slice-region classifiers: weighted averages, and each region. "
        f"{split.capitalize()} split of the training cohort, n = {reference['case'].nunique()} cases, {len(reference)} "
        "slices. Bold: the selected network (highest mean of weighted precision and recall). "
        "Descriptive: no test, no stars."
    )


def _choice(table: pd.DataFrame, network: str, select_on: str) -> dict[str, str | float]:
    row = table[(table["network"] == network) & (table["region"] == WEIGHTED)].iloc[0]
    return {"network": network, "select_on": select_on} | {metric: round(float(row[metric]), 4) for metric in METRICS}
