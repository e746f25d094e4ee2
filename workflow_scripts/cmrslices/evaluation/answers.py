"""What the scores of one or several runs say: the questions, each with its formula and its interval."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from cmrslices.equal_training import trained_alike
from cmrslices.evaluation.cells import ALL_LABELS, ALL_RUNS, EITHER, Summary, count_cells, summarise
from cmrslices.evaluation.jackknife import DECIMALS, NOBODY, jackknife
from cmrslices.evaluation.over_runs import about_runs
from cmrslices.evaluation.scoring import SCORING_RULES, score_under
from cmrslices.evaluation.statistics import WHOLE_HEART, holm

DIFFERENCES = ["primary", "gap", "change", "contrast", "right", "wrong", "right_bound", "wrong_bound"]
"""Questions about differences in points of DSC: they are tested against 0 and against the margin."""
TESTED = [*DIFFERENCES, "invented_change"]
"""Questions for which 0 means that there is no difference."""
PERCENTAGES = ["missed", "invented", "errors", "break_even"]
"""Questions whose answers lie within 0 and 100."""
ENDS = ["base", "apex"]
PRIMARY_REGIONS = [WHOLE_HEART, "apex"]
"""Regions of the primary comparisons."""
SUBGROUPS = ["phase", "group", "vendor"]
"""Columns of the scores by which patients or cases are told apart, where they have them."""
EVERYONE = "all"
"""Subgroup of all patients and phases."""
ASKED = "asked"
"""Axis of the answers to one question, in the order in which they were asked."""
ANY_SCORING = "any"
"""Scoring rule of the questions that do not depend on it."""
COUNTED = {"dsc": "scored", "missed": "carries", "invented": "lacks", "invented_mm2": "invented"}
"""Mean to the kind of slices that it is about."""
COLUMNS = [
    *("scoring", "question", "cohort", "subgroup", "approach", "versus", "label", "region"),
    *("estimate", "low", "high", "p", "p_holm", "p_equivalent"),
    *("runs", "run_sd", "lowest_run", "highest_run", "patients", "training_ratio"),
]


def right_by(approach: str) -> str:
    """Return the column of the scores that says whether an approach's classifier names the slice's reference region."""
    return f"right:{approach}"


class Design(NamedTuple):
    """The approaches by their part in the questions.

    Attributes
    ----------
    baseline : str
        The approach that the others are compared with.
    others : tuple of str
        In reporting order.
    bounds : dict of str to str or None
        Those that name the regions of slices themselves, by the classifiers or by a model's extent, each to its upper
        bound: the one of the others that sends the slices to the same models by the reference.
    slices : dict of str to int or None
        Every approach to the slices that its models saw in training; None where one of them is a 3D model.
    primary : dict of str to str
        Each approach of the primary comparisons to the control that it is compared with.
    """

    baseline: str
    others: tuple[str, ...]
    bounds: Mapping[str, str | None]
    slices: Mapping[str, int | None]
    primary: Mapping[str, str]


class Answer(NamedTuple):
    """One question about one approach.

    Attributes
    ----------
    question, approach : str
    versus : str
        The approach that it is compared with; empty if there is none.
    values : DataArray, axes without, run, label, region, and scoring and subgroup where they apply
    patients : DataArray of int, with the axes of `values` but without and run
        Patients with such slices: the fewest of those that the answer compares.
    """

    question: str
    approach: str
    versus: str
    values: xr.DataArray
    patients: xr.DataArray

    def table(self, cohort: str, **columns: xr.DataArray) -> pd.DataFrame:
        """Lay columns out as a table: a row per place of their axes, with cohort, approach and patients."""
        places = xr.Dataset({"patients": self.patients, **columns}).to_dataframe().reset_index()
        return places.assign(cohort=cohort, approach=self.approach)


def answers(scores: pd.DataFrame, design: Design, margin: float) -> pd.DataFrame:
    """Answer the questions for every cohort, label and region, under every scoring rule.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, of all runs and approaches, with the column run, and the column `right_by` of
        each classified approach: whether the regions by which it is routed have the slice's reference region.
        `SUBGROUPS` may be among the columns.
    design : Design
    margin : float
        Two approaches are near each other if they differ by less, in points of DSC %.

    Returns
    -------
    DataFrame
        scoring (`SCORING_RULES`, or `ANY_SCORING`), question, cohort, subgroup (`EVERYONE`, or such as ``phase ED``),
        approach, versus, label (the mean over all and any of them, too), region (the whole heart, too), estimate, low,
        high, p (against 0), p_holm (p after Holm's correction over the answers of the scoring rule, question and kind
        of subgroup), p_equivalent (that it lies within the margin), runs (those with such slices),
        run_sd, lowest_run, highest_run (of the estimates of single runs), patients (with such slices: the fewest of
        those that the answer compares), training_ratio (the slices that the approach's models saw in training, as a
        multiple of those of `versus`). The questions:

        - ``primary``: an approach of the primary comparisons minus its control (`versus`), mean over the labels, in the
          whole heart and at the apex. Here p_equivalent is after Holm's correction, too.
        - ``gap``: the baseline's middle minus its base or apex.
        - ``change``: the approach minus the baseline.
        - ``share``: the change at an end, in % of the baseline's gap there; empty unless the interval of the gap
          is above 0.
        - ``contrast``: an approach minus another one before it (`versus`), neither of them the baseline. It is asked
          where both had equal training (`trained_alike`), or where the training of one is not known.
        - ``right``, ``wrong``: the change on the slices whose region the approach's classifier names or misses.
        - ``right_bound``, ``wrong_bound``: the approach's upper bound, where it has one, minus the baseline on the same
          slices.
        - ``break_even``: see `break_even`.
        - ``missed``: slices that carry the label and in which nothing of it is found (DSC 0), in %.
        - ``invented``: slices that lack the label and in which some of it is predicted, in %.
        - ``invented_mm2``: the mean area of what is predicted in them.
        - ``invented_change``: the approach's ``invented`` minus the baseline's, in percentage points.
        - ``errors``: slices whose region the approach's classifier misses, in %.

        In subgroups only ``gap`` and ``change`` are asked. What is not said to be something else is in points of DSC %.

    Raises
    ------
    InputError
        When the approaches of a run are not scored on the same slices.
    """
    tables = []
    # Arrays with different places on an axis are an error; xarray would go on with the places that they share.
    with xr.set_options(arithmetic_join="exact"):
        for cohort, part in scores.groupby("cohort", observed=True):
            for question, asked in groupby(_ask_cohort(part, design), attrgetter("question")):
                tables.append(_rows(question, list(asked), margin).assign(cohort=cohort))
    found = pd.concat(tables, ignore_index=True)
    kind = found["subgroup"].str.split(" ").str[0]
    found["p_holm"] = found.groupby(["scoring", "question", kind])["p"].transform(holm)
    primary = found[found["question"] == "primary"]
    found.loc[primary.index, "p_equivalent"] = primary.groupby("scoring")["p_equivalent"].transform(holm)
    seen = pd.Series(dict(design.slices), dtype=float)  # NaN for None
    found["training_ratio"] = found["approach"].map(seen) / found["versus"].map(seen)
    return found[COLUMNS]


def ask_one_run(
    scores: pd.DataFrame, baseline: str, others: Sequence[str], ask: Callable[[Summary, Design], Iterator[Answer]]
) -> Iterator[tuple[str, Answer]]:
    """Ask about the approaches of one run.

    Parameters
    ----------
    scores : DataFrame
        As `read_scores` gives them, under one scoring rule.
    baseline : str
    others : sequence of str
    ask : function
        `gaps_and_changes` or `about_slices`.

    Yields
    ------
    str, Answer
        Cohort and answer; its values have no axis run.

    Raises
    ------
    InputError
        When the approaches are not scored on the same slices.
    """
    design = Design(baseline, tuple(others), {}, {}, {})
    for cohort, part in scores.assign(run=0, right=True).groupby("cohort", observed=True):
        for answer in ask(summarise(count_cells(part, [baseline, *others])), design):
            yield str(cohort), answer._replace(values=answer.values.sel(run=ALL_RUNS, drop=True))


def gaps_and_changes(summary: Summary, design: Design) -> Iterator[Answer]:
    """The baseline's gap, and what every other approach changes."""
    either = summary.at(classifier=EITHER)
    yield _gap(either, design.baseline)
    for name in design.others:
        yield _difference("change", name, design.baseline, "dsc", either)


def _ask_cohort(scores: pd.DataFrame, design: Design) -> Iterator[Answer]:
    """All answers about one cohort; those about the DSC have the axis scoring, those about subgroups also subgroup."""
    approaches = [design.baseline, *design.others]
    unrouted = scores.assign(right=True)
    summary = summarise(_under_each_rule(unrouted, approaches))
    by_regions = {name: _by_regions(scores, design, name) for name in design.bounds}
    yield from _about_dsc(summary, design)
    for name, of_approach in by_regions.items():
        yield from _about_regions(of_approach, design, name)
    subgroups = {name: _under_each_rule(part, approaches) for name, part in _subgroups(unrouted)}
    if subgroups:
        names = pd.Index(subgroups, name="subgroup")
        cells = xr.concat(subgroups.values(), names, join="outer", fill_value=0)
        yield from gaps_and_changes(summarise(cells), design)
    # What is missed, invented and routed wrongly is the same under every rule.
    yield from about_slices(summary.at(scoring="carried"), design)
    for name, of_approach in by_regions.items():
        errors = of_approach.at(scoring="carried", approach=name)
        yield Answer(
            "errors", name, "", errors.means["errors"], errors.patients["carries"].sel(classifier=EITHER, drop=True)
        )


def _by_regions(scores: pd.DataFrame, design: Design, name: str) -> Summary:
    """The slices whose region an approach names or misses; only of the approaches that are compared on them."""
    compared = list(dict.fromkeys([design.baseline, name, design.bounds[name] or name]))
    of_them = scores[scores["approach"].isin(compared)]
    return summarise(_under_each_rule(of_them.assign(right=of_them[right_by(name)]), compared))


def _under_each_rule(scores: pd.DataFrame, approaches: list[str]) -> xr.Dataset:
    """Cells with one more axis, scoring."""
    cells = [count_cells(score_under(scores, rule), approaches) for rule in SCORING_RULES]
    return xr.concat(cells, pd.Index(SCORING_RULES, name="scoring"))


def _subgroups(scores: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Parts of a cohort by each of `SUBGROUPS` in which it has several."""
    for column in SUBGROUPS:
        if column in scores and scores[column].nunique() > 1:
            for value, part in scores[scores[column] != ""].groupby(column, observed=True):
                yield f"{column} {value}", part


def _about_dsc(summary: Summary, design: Design) -> Iterator[Answer]:
    """The questions about the DSC, in the order of the rows."""
    for name, control in design.primary.items():
        compared = _difference("primary", name, control, "dsc", summary.at(classifier=EITHER))
        at = {"label": [ALL_LABELS], "region": PRIMARY_REGIONS}
        yield compared._replace(values=compared.values.sel(at), patients=compared.patients.sel(at))
    gap, *changes = gaps_and_changes(summary, design)
    yield gap
    yield from changes
    low, _ = jackknife(gap.values.sel(run=ALL_RUNS, drop=True), gap.patients).interval()
    for change in changes:
        share = 100 * change.values.sel(region=ENDS) / gap.values
        fewest = xr.ufuncs.minimum(change.patients.sel(region=ENDS), gap.patients)
        yield Answer("share", change.approach, design.baseline, share.where(low > 0), fewest)
    for first, second in _fair_pairs(design):
        yield _difference("contrast", second, first, "dsc", summary.at(classifier=EITHER))


def _fair_pairs(design: Design) -> Iterator[tuple[str, str]]:
    """Pairs of the others whose training is equal, or not known of one of them."""
    for first, second in combinations(design.others, 2):
        slices, other = design.slices[first], design.slices[second]
        if slices is None or other is None or trained_alike(slices, other):
            yield first, second


def _about_regions(summary: Summary, design: Design, name: str) -> Iterator[Answer]:
    """The questions about the slices whose region a classified approach names or misses; `summary` by its regions."""
    baseline, bound = design.baseline, design.bounds[name]
    of_kind = {kind: summary.at(classifier=kind) for kind in ("right", "wrong")}
    right, wrong = (_difference(kind, name, baseline, "dsc", part) for kind, part in of_kind.items())
    yield right
    yield wrong
    if bound:
        for kind, part in of_kind.items():
            yield _difference(f"{kind}_bound", bound, baseline, "dsc", part)._replace(approach=name)
    even = xr.apply_ufunc(break_even, right.values, wrong.values)
    yield Answer("break_even", name, baseline, even, xr.ufuncs.minimum(right.patients, wrong.patients))


def about_slices(summary: Summary, design: Design) -> Iterator[Answer]:
    """The questions about what is missed and invented."""
    either = summary.at(classifier=EITHER)
    for question in ("missed", "invented", "invented_mm2"):
        for name in (design.baseline, *design.others):
            of_approach = either.at(approach=name)
            yield Answer(question, name, "", of_approach.means[question], of_approach.patients[COUNTED[question]])
    for name in design.others:
        yield _difference("invented_change", name, design.baseline, "invented", either)


def _gap(summary: Summary, baseline: str) -> Answer:
    of_baseline = summary.at(approach=baseline)
    dsc, counts = of_baseline.means["dsc"], of_baseline.patients["scored"]
    gap = dsc.sel(region="middle", drop=True) - dsc.sel(region=ENDS)
    fewest = xr.ufuncs.minimum(counts.sel(region="middle", drop=True), counts.sel(region=ENDS))
    return Answer("gap", baseline, "", gap, fewest)


def _difference(question: str, approach: str, versus: str, measure: str, summary: Summary) -> Answer:
    """One approach minus another one in a measure, which is among the means."""
    ours, theirs = (summary.means[measure].sel(approach=name, drop=True) for name in (approach, versus))
    fewest = summary.patients[COUNTED[measure]].sel(approach=[approach, versus]).min("approach")
    return Answer(question, approach, versus, ours - theirs, fewest)


def break_even(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The classifier's errors, in % of the slices, at which an approach would equal the baseline.

    With a share e of errors, the approach changes the mean DSC by (1 - e) * right + e * wrong, which is 0 at
    e = right / (right - wrong). It is assumed that both changes stay what they are when the errors become more or
    fewer: a worse classifier errs on more slices, not on slices of another kind.

    Parameters
    ----------
    right, wrong : array
        Change against the baseline on the slices whose region the classifier names (right) or misses (wrong), in points
        of DSC %.

    Returns
    -------
    array
        Within 0 and 100; NaN where the change on wrong slices is not below that on right ones.

    Examples
    --------
    Two points are gained on right slices. If eight are lost on wrong ones, every fifth slice may be wrong; if one is
    gained there, too, all may.

    >>> break_even(right=np.array([2.0, 2.0]), wrong=np.array([-8.0, 1.0]))
    array([ 20., 100.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(right > wrong, 100 * np.clip(right / (right - wrong), 0, 1), np.nan)


def _rows(question: str, asked: Sequence[Answer], margin: float) -> pd.DataFrame:
    """Rows of the answers to one question about several approaches, all computed at once: that is much faster."""
    values, patients = (_side_by_side([getattr(one, part) for one in asked]) for part in ("values", "patients"))
    single = values.isel(without=NOBODY).drop_sel(run=ALL_RUNS)
    found = jackknife(values.sel(run=ALL_RUNS, drop=True), patients)
    low, high = found.interval()
    unknown = xr.full_like(found.answer, np.nan)
    if question in PERCENTAGES:
        low, high = (bound.clip(0, 100) for bound in (low, high))
    columns = {
        "estimate": found.answer,
        "low": low,
        "high": high,
        "p": found.p_different() if question in TESTED else unknown,
        "p_equivalent": found.p_equivalent(margin) if question in DIFFERENCES else unknown,
        **about_runs(single),
        "patients": patients,
    }
    axes = [name for name in ("scoring", "subgroup", "label", "region") if name in values.dims]
    table = xr.Dataset(columns).to_dataframe([ASKED, *axes]).reset_index().dropna(subset="estimate")
    numbers = ["estimate", "low", "high", "run_sd", "lowest_run", "highest_run"]
    place = {"scoring": ANY_SCORING, "subgroup": EVERYONE} | {axis: table[axis] for axis in axes}
    of_rows = [asked[number] for number in table[ASKED]]
    compared = {name: [getattr(one, name) for one in of_rows] for name in ("approach", "versus")}
    return table.round(dict.fromkeys(numbers, DECIMALS)).assign(question=question, **place, **compared)


def _side_by_side(arrays: Sequence[xr.DataArray]) -> xr.DataArray:
    return xr.concat(arrays, pd.RangeIndex(len(arrays), name=ASKED), join="exact")
