"""What the numbers of one or several seeds say, with intervals over patients and seeds.

Every answer is a difference, or a ratio, of mean slice DSCs. The variance of its estimate has two parts.

- Patients: a bootstrap draws them, each with all its slices, under all approaches and in all seeds that test it. So
  approaches are compared on the same patients, and it does not matter whether the seeds share their test patients (an
  external cohort) or have others (the training cohort, whose splits follow the seed). One patient fewer is drawn than
  there are: with as many, the variance of few would come out too small (J. N. K. Rao and C. F. J. Wu, Resampling
  inference with complex survey data, *J. Am. Stat. Assoc.* 83, 231-241, 1988).
- Seeds: what the estimates of single seeds vary beyond what the same bootstrap finds for their patients, divided by the
  number of seeds. With one seed there is no such part.

The interval is the estimate and Student's t times the root of their sum, with the degrees of freedom after Welch and
Satterthwaite. Percentiles of a bootstrap that draws seeds, too, would never reach beyond the lowest and the highest
seed: of three seeds that differ by chance alone, every fourth such interval would exclude 0.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from cmrslices.evaluation.statistics import WHOLE_HEART
from cmrslices.labels import LABELS, REGIONS
from cmrslices.runtime.errors import InputError

ALL_LABELS = "all"
"""Label that stands for the mean over the labels."""

LEVEL = 0.95
DRAWS = 4000
DECIMALS = 9
"""Of every number: what rounding in sums leaves of a difference that is none is none."""
PERCENTAGES = ("missed", "errors", "break_even")
"""Questions whose answers lie within 0 and 100."""
PLACES = (*REGIONS, WHOLE_HEART)
ENDS = ("base", "apex")
CELL = ["question", "cohort", "approach", "label", "region"]
SLICE = ["seed", "patient", "case", "slice", "label", "region", "right"]


class Design(NamedTuple):
    """The approaches by their part in the questions.

    Attributes
    ----------
    baseline : str
        The approach that the others are compared with.
    others : tuple of str
        In reporting order.
    upper_bound : str or None
        The one of them that is routed by the reference.
    classified : tuple of str
        Those that are routed by the classifier.
    """

    baseline: str
    others: tuple[str, ...]
    upper_bound: str | None
    classified: tuple[str, ...]


class Cells(NamedTuple):
    """Slices of one cohort, summed by patient and cell.

    Attributes
    ----------
    sums : array, shape (patients, seeds, 2, labels, regions, approaches)
        DSC in %; the third axis is whether the classifier missed the region or named it.
    missed : array, of the same shape
        Slices with a DSC of 0, times 100.
    slices : array, shape (patients, seeds, 2, labels, regions, 1)
    """

    sums: np.ndarray
    missed: np.ndarray
    slices: np.ndarray


def answers(scores: pd.DataFrame, design: Design, draws: int = DRAWS) -> pd.DataFrame:
    """Answer the questions for every cohort, label and region.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, of all seeds and approaches, with the columns seed, and right: whether the
        selected classifier names the slice's reference region.
    design : Design
    draws : int
        Of the bootstrap; the draws are the same in every call.

    Returns
    -------
    DataFrame
        question, cohort, approach, label (`ALL_LABELS` too), region (`WHOLE_HEART` too), estimate, low, high,
        lowest_seed and highest_seed (the estimates of single seeds), seeds, patients (with such slices: the
        fewest of those that the answer compares). The questions:

        - ``gap``: the baseline's middle minus its base or apex.
        - ``change``: the approach minus the baseline.
        - ``left``: the upper bound minus the approach.
        - ``missed``: slices of whose label nothing is found (DSC 0), in %; the baseline's, too.
        - ``share``: the change at an end, in % of the baseline's gap there; empty unless the interval of the gap
          is above 0.
        - ``errors``: slices whose region the classifier misses, in %.
        - ``right``, ``wrong``: the change on the slices whose region the classifier names or misses.
        - ``right_bound``, ``wrong_bound``: the upper bound minus the baseline on the same slices.
        - ``break_even``: the errors, in %, at which the approach would equal the baseline, if the changes on right
          and on wrong slices stayed what they are: a worse classifier errs on more slices, not on others in kind.
          Empty where the change on wrong slices is not below that on right ones.

        All but ``missed``, ``share``, ``errors`` and ``break_even`` are in points of DSC %. A percentage of slices
        that is the same in every draw has no interval.

    Raises
    ------
    InputError
        When the approaches of a seed are not scored on the same slices.
    """
    tables = []
    for cohort, part in scores.dropna(subset="dsc").groupby("cohort", observed=True):
        cells = count_cells(part, design)
        values = means(cells, bootstrap_weights(cells.sums.shape[0], draws))
        table = pd.concat([_rows(*answer) for answer in _questions(*values, patients_in(cells), design)])
        table.insert(1, "cohort", cohort)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def count_cells(scores: pd.DataFrame, design: Design) -> Cells:
    """Sum the slices' DSC by patient, seed, region found or missed, label, region and approach.

    Patients stand in the order of their first slice, whatever they are called.

    Parameters
    ----------
    scores : DataFrame
        Of one cohort, without empty DSCs; see `answers`.
    design : Design

    Raises
    ------
    InputError
        When the approaches of a seed are not scored on the same slices.
    """
    approaches = [design.baseline, *design.others]
    patients, seeds = scores["patient"].unique(), scores["seed"].unique()
    wide = scores.pivot(index=SLICE, columns="approach", values="dsc").reindex(columns=approaches)
    if wide.isna().any(axis=None):
        first = wide.columns[wide.isna().any()][0]
        raise InputError(f"scores: {first} and {design.baseline} are not scored on the same slices; publish again")
    orders = {"patient": patients, "seed": seeds, "right": [False, True], "label": list(LABELS), "region": REGIONS}
    place = tuple(pd.Index(order).get_indexer(wide.index.get_level_values(name)) for name, order in orders.items())
    shape = tuple(map(len, orders.values()))
    sums, missed, slices = (np.zeros((*shape, count)) for count in (len(approaches), len(approaches), 1))
    np.add.at(sums, place, 100 * wide.to_numpy())
    np.add.at(missed, place, 100 * (wide.to_numpy() == 0))
    np.add.at(slices, place, 1)
    return Cells(sums, missed, slices)


def bootstrap_weights(patients: int, draws: int) -> np.ndarray:
    """How often each patient counts: once in the first row, then as drawn.

    Returns
    -------
    array, shape (1 + draws, patients)
        The same for the same arguments. A single patient is never drawn.
    """
    drawn = np.random.default_rng(0).multinomial(patients - 1, np.full(patients, 1 / patients), draws)
    return np.concatenate([np.ones((1, patients)), drawn])


def means(cells: Cells, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean DSC and shares of the slices of every cell, with all labels and the whole heart.

    Parameters
    ----------
    cells : Cells
    weights : array, shape (1 + draws, patients)

    Returns
    -------
    array, shape (1 + seeds, 1 + draws, 3, labels + 1, regions + 1, approaches)
        DSC in %. First axis: all seeds, then each alone. Third axis: region missed, named, either. NaN where a cell
        is empty.
    array, of the same shape
        Slices with a DSC of 0, in % of the cell's.
    array, shape (1 + seeds, 1 + draws, 3, labels + 1, regions + 1, 1)
        The cell's slices, in % of those of either kind.
    """
    sums, missed, slices = (_weighted(part, weights) for part in cells)
    with np.errstate(invalid="ignore"):
        parts = sums / slices, missed / slices, 100 * slices / slices[:, :, 2:]
    return tuple(np.concatenate([part, part.mean(axis=3, keepdims=True)], axis=3) for part in parts)


def patients_in(cells: Cells) -> np.ndarray:
    """Number of patients with slices in every cell.

    Returns
    -------
    int array, shape (3, labels + 1, regions + 1)
        As the cells of `means`; for all labels, that of the label with the fewest.
    """
    counts = (_with_sums(cells.slices.sum(axis=1), axis=1)[..., 0] > 0).sum(axis=0)
    return np.concatenate([counts, counts.min(axis=1, keepdims=True)], axis=1)


def _weighted(part: np.ndarray, weights: np.ndarray) -> np.ndarray:
    patients, seeds, *cell = part.shape
    by_seed = np.moveaxis((weights @ part.reshape(patients, -1)).reshape(-1, seeds, *cell), 1, 0)
    return _with_sums(np.concatenate([by_seed.sum(axis=0, keepdims=True), by_seed]), axis=2)


def _with_sums(part: np.ndarray, axis: int) -> np.ndarray:
    """Cells with both kinds of slices together, at `axis`, and with the whole heart, two axes on."""
    part = np.concatenate([part, part.sum(axis=axis, keepdims=True)], axis=axis)
    return np.concatenate([part, part.sum(axis=axis + 2, keepdims=True)], axis=axis + 2)


class _Answer(NamedTuple):
    """Values, shape (1 + seeds, 1 + draws, labels + 1, regions), and patients, shape (labels + 1, regions)."""

    question: str
    approach: str
    regions: tuple[str, ...]
    values: np.ndarray
    patients: np.ndarray


def _questions(
    dsc: np.ndarray, missed: np.ndarray, kinds: np.ndarray, patients: np.ndarray, design: Design
) -> list[_Answer]:
    names = [design.baseline, *design.others]
    wrong_dsc, right_dsc, either = (
        {name: dsc[:, :, kind, ..., names.index(name)] for name in names} for kind in range(3)
    )
    in_wrong, in_right, in_either = patients
    baseline = either[design.baseline]
    middle, ends = [PLACES.index("middle")], [PLACES.index(end) for end in ENDS]
    gap = baseline[..., middle] - baseline[..., ends]
    in_gap = np.minimum(in_either[:, middle], in_either[:, ends])
    lowest_gap, _ = interval(gap, in_gap)
    found = [_Answer("gap", design.baseline, ENDS, gap, in_gap)]
    found += [
        _Answer("missed", name, PLACES, missed[:, :, 2, ..., index], in_either) for index, name in enumerate(names)
    ]
    for name in design.others:
        change = either[name] - baseline
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(lowest_gap > 0, 100 * change[..., ends] / gap, np.nan)
        found.append(_Answer("change", name, PLACES, change, in_either))
        found.append(_Answer("share", name, ENDS, share, in_gap))
        if design.upper_bound and name != design.upper_bound:
            found.append(_Answer("left", name, PLACES, either[design.upper_bound] - either[name], in_either))
    for name in design.classified:
        found.append(_Answer("errors", name, PLACES, kinds[:, :, 0, ..., 0], in_either))
        right, wrong = (kind[name] - kind[design.baseline] for kind in (right_dsc, wrong_dsc))
        found += [_Answer("right", name, PLACES, right, in_right), _Answer("wrong", name, PLACES, wrong, in_wrong)]
        if design.upper_bound:
            for question, kind, count in (("right_bound", right_dsc, in_right), ("wrong_bound", wrong_dsc, in_wrong)):
                bound = kind[design.upper_bound] - kind[design.baseline]
                found.append(_Answer(question, name, PLACES, bound, count))
        fewest = np.minimum(in_right, in_wrong)
        found.append(_Answer("break_even", name, PLACES, break_even(right, wrong), fewest))
    return found


def break_even(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Errors, in %, at which a gain on right slices and a loss on wrong ones cancel, within 0 and 100.

    Parameters
    ----------
    right, wrong : array
        Changes on the slices whose region is named or missed.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(right > wrong, 100 * np.clip(right / (right - wrong), 0, 1), np.nan)


def interval(values: np.ndarray, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the interval of each estimate.

    NaN where only one patient has such slices, and where a seed alone has no value; draws in which a value is undefined
    do not count.

    Parameters
    ----------
    values : array, shape (1 + seeds, 1 + draws, ...)
        Of all seeds and of each alone; of all patients and as drawn.
    patients : array, shape (...)
        With slices.
    """
    seeds, estimate = len(values) - 1, values[0, 0]
    of_patients = _variance(values[0, 1:])
    of_seeds = between = np.zeros_like(estimate)
    if seeds > 1:
        apart = values[1:] - values[1:].mean(axis=0)
        correction = seeds / (seeds - 1)
        between = correction * np.square(apart[:, 0]).mean(axis=0)
        within = correction * np.mean([_variance(seed) for seed in apart[:, 1:]], axis=0)
        of_seeds = np.maximum(between - within, 0) / seeds
    total = of_patients + of_seeds
    parts = np.where(of_seeds > 0, between / seeds, 0) ** 2 / max(seeds - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.fmax(total**2 / (parts + of_patients**2 / (patients - 1)), max(seeds - 1, 1))
    half = np.where(patients > 1, stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(total), np.nan)
    return estimate - half, estimate + half


def _variance(drawn: np.ndarray) -> np.ndarray:
    """Variance over the draws; NaN where hardly one is defined."""
    defined = ~np.isnan(drawn)
    count = defined.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(defined, drawn - np.nansum(drawn, axis=0) / count, 0)
        return np.where(count > 1, np.square(apart).sum(axis=0) / (count - 1), np.nan)


def _rows(
    question: str, approach: str, regions: tuple[str, ...], values: np.ndarray, patients: np.ndarray
) -> pd.DataFrame:
    estimate, single = values[0, 0], values[1:, 0]
    bounds = np.array(interval(values, patients))
    if question in PERCENTAGES:
        bounds = np.where(bounds[0] < bounds[1], np.clip(bounds, 0, 100), np.nan)
    low, high = bounds
    columns = {
        "estimate": estimate,
        "low": low,
        "high": high,
        "lowest_seed": np.fmin.reduce(single),
        "highest_seed": np.fmax.reduce(single),
        "seeds": np.full(estimate.shape, len(single)),
        "patients": patients,
    }
    place = pd.MultiIndex.from_product([[*LABELS, ALL_LABELS], regions], names=["label", "region"])
    table = pd.DataFrame({name: column.ravel() for name, column in columns.items()}, index=place).round(DECIMALS)
    table = table.reset_index()
    table.insert(0, "question", question)
    table.insert(1, "approach", approach)
    return table


def paper_cells(table1: pd.DataFrame, table3: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The paper's gaps (Table 1) and changes (Table 3) as answers.

    Parameters
    ----------
    table1, table3 : DataFrame
        From resources/paper.
    baseline : str
        The approach of Table 1.

    Returns
    -------
    DataFrame
        question, cohort, approach, label, region, paper (points of DSC %), paper_significant.
    """
    middle = table1.loc[table1["region"] == "middle", ["cohort", "label", "mean"]]
    gap = table1[table1["region"].isin(ENDS)].merge(middle, on=["cohort", "label"], suffixes=("", "_middle"))
    gap = gap.assign(question="gap", approach=baseline, paper=(gap["mean_middle"] - gap["mean"]).round(DECIMALS))
    change = table3.assign(question="change", paper=table3["mean_difference"])
    both = pd.concat([gap, change], ignore_index=True).rename(columns={"significant": "paper_significant"})
    return both[[*CELL, "paper", "paper_significant"]]


def agreement(found: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Our answers beside the paper's, cell by cell.

    Parameters
    ----------
    found : DataFrame
        As `answers` gives them.
    paper : DataFrame
        As `paper_cells` gives them.

    Returns
    -------
    DataFrame
        question, cohort, approach, label, region; paper, paper_significant; ours, low, high; paper_inside (whether
        the paper's value lies in our interval); verdict: ``same sign`` or ``opposite sign`` (the paper's is
        significant and our interval excludes 0), ``only the paper``, ``only ours``, ``neither``, or ``no interval``.
        The cells that both have, in the paper's order.
    """
    ours = found.rename(columns={"estimate": "ours"}).astype(dict.fromkeys(CELL, str))
    table = paper.merge(ours[[*CELL, "ours", "low", "high"]], on=CELL)
    starred = table["paper_significant"].astype(bool)
    clear = (table["low"] > 0) | (table["high"] < 0)
    same = np.sign(table["paper"]) == np.sign(table["ours"])
    verdicts = {
        "no interval": table["low"].isna(),
        "same sign": starred & clear & same,
        "opposite sign": starred & clear,
        "only the paper": starred,
        "only ours": clear,
    }
    return table.assign(
        paper_inside=table["paper"].between(table["low"], table["high"]).where(table["low"].notna()),
        verdict=np.select(list(verdicts.values()), list(verdicts), "neither"),
    )
