"""How often intervals over patients hold the truth, on resampled real slices.

PYTHONPATH=workflow_scripts python tests/benchmarks/coverage.py results/published/acdc acdc --json coverage.json

The tested patients of the published runs are taken as the whole population, so that the true gaps and changes are
known. Patients are drawn from it with replacement, each with all slices, and every method makes its interval from the
draw. Methods: the jackknife that the answers use; CR2; and, with ``--bootstrap``, the percentiles of a cluster
bootstrap and its symmetric t.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from cmrslices.commands.runs import read_runs
from cmrslices.evaluation.jackknife import jackknife, leave_out_each
from cmrslices.evaluation.scoring import SCORING_RULES, score_under
from cmrslices.labels import LABELS, REGIONS

T = 0.975


def population(folder: Path, cohort: str, approach: str, rule: str) -> dict[tuple[str, str, str], np.ndarray]:
    """Sums and numbers of slices of the two means of every question: shape (4, patients)."""
    _, scores = read_runs(folder)
    slices = score_under(scores[scores["cohort"] == cohort], rule).dropna(subset="dsc")
    patients = sorted(slices["patient"].unique())
    sums = (
        slices.assign(dsc=100 * slices["dsc"])
        .groupby(["approach", "label", "region", "patient"], observed=True)["dsc"]
        .agg(["sum", "count"])
    )

    def cell(name: str, label: str, region: str) -> np.ndarray:
        return sums.loc[name, label, region].reindex(patients).fillna(0).to_numpy().T

    questions = {}
    for label in LABELS:
        for end in ("base", "apex"):
            pair = cell("baseline", label, "middle"), cell("baseline", label, end)
            questions["gap", label, end] = np.concatenate(pair)
        for region in REGIONS:
            pair = cell(approach, label, region), cell("baseline", label, region)
            questions["change", label, region] = np.concatenate(pair)
    return questions


def difference(sums: np.ndarray) -> np.ndarray:
    """The first mean minus the second; `sums` as `population` gives them, patients summed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[0] / sums[1] - sums[2] / sums[3]


def with_jackknife(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The intervals of the answers; `drawn` has the shape (4, draws, patients)."""
    names = ("first", "first_slices", "second", "second_slices")
    sums = leave_out_each(xr.Dataset({n: (("draw", "patient"), part) for n, part in zip(names, drawn, strict=True)}))
    means = [sums[name] / sums[f"{name}_slices"].where(sums[f"{name}_slices"] > 0) for name in ("first", "second")]
    low, high = jackknife(means[0] - means[1], xr.DataArray(drawn.shape[2])).interval()
    return low.to_numpy(), high.to_numpy()


def cr2(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bell and McCaffrey's bias-reduced linearisation, with Student's t."""
    total = drawn.sum(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [
            (drawn[k] - drawn[k + 1] * (total[k] / total[k + 1])[:, None])
            / (total[k + 1, :, None] * np.sqrt(1 - drawn[k + 1] / total[k + 1, :, None]))
            for k in (0, 2)
        ]
    error = np.sqrt(((parts[0] - parts[1]) ** 2).sum(1))
    return around(difference(total), stats.t.ppf(T, drawn.shape[2] - 1) * error)


def bootstrap(drawn: np.ndarray, generator: np.random.Generator, draws: int = 299) -> dict[str, tuple]:
    """Percentiles of a cluster bootstrap, and its symmetric t."""
    count = drawn.shape[2]
    weights = generator.multinomial(count, np.full(count, 1 / count), (drawn.shape[1], draws)).astype(np.float32)
    again = np.stack([np.einsum("dbp,dp->db", weights, part.astype(np.float32)) for part in drawn])
    estimates, estimate = difference(again), difference(drawn.sum(2))
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = [
            (drawn[k][:, None] - drawn[k + 1][:, None] * (again[k] / again[k + 1])[..., None]) / again[k + 1][..., None]
            for k in (0, 2)
        ]
        errors = np.sqrt((weights * (residuals[0] - residuals[1]) ** 2).sum(2))
        t = np.abs(estimates - estimate[:, None]) / errors
        own = [(drawn[k] - drawn[k + 1] * (drawn[k].sum(1) / drawn[k + 1].sum(1))[:, None]) for k in (0, 2)]
        error = np.sqrt(((own[0] / drawn[1].sum(1)[:, None] - own[1] / drawn[3].sum(1)[:, None]) ** 2).sum(1))
    t = np.where(np.isfinite(t), t, np.nan)
    return {
        "bootstrap percentiles": tuple(np.nanpercentile(estimates, [2.5, 97.5], axis=1)),
        "bootstrap t": around(estimate, np.nanpercentile(t, 95, axis=1) * error),
    }


def around(estimate: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds at the same distance on either side."""
    return estimate - half, estimate + half


def coverage(questions: dict, patients: int, draws: int, bootstrapped: int, seed: int) -> pd.DataFrame:
    """Percentage of the intervals that hold the truth, by question and method; no interval does not hold it."""
    generator, rows = np.random.default_rng(seed), []
    for (question, label, region), sums in questions.items():
        truth = difference(sums.sum(1))
        drawn = sums[:, generator.integers(0, sums.shape[1], (draws, patients))]
        methods = {"jackknife": with_jackknife(drawn), "CR2": cr2(drawn)}
        if bootstrapped:
            methods |= bootstrap(drawn[:, :bootstrapped], generator)
        for method, (low, high) in methods.items():
            held = 100 * np.mean((low <= truth) & (truth <= high))
            place = {"question": question, "label": label, "region": region, "truth": truth, "patients": patients}
            rows.append({**place, "method": method, "held": held})
    return pd.DataFrame(rows)


def parser_of_populations(description: str) -> argparse.ArgumentParser:
    """A parser of the arguments that name a population."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="published runs")
    parser.add_argument("cohort")
    parser.add_argument("--approach", default="classification", help="whose change is looked at")
    parser.add_argument("--rule", default="carried", choices=list(SCORING_RULES))
    return parser


def main() -> None:
    """Print the coverage by question, label and region, and a summary of the methods."""
    parser = parser_of_populations(__doc__)
    parser.add_argument("--patients", type=int, nargs="+", default=[10, 20, 50, 100], help="patients of a draw")
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--bootstrap", type=int, default=0, help="draws for which the bootstraps are made, too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    questions = population(options.folder, options.cohort, options.approach, options.rule)
    parts = [coverage(questions, n, options.draws, options.bootstrap, seed=n) for n in options.patients]
    found = pd.concat(parts, ignore_index=True)
    chosen = found[found["method"] == "jackknife"]
    order = ["question", "label", "region", "truth"]
    table = chosen.pivot_table(index=order, columns="patients", values="held", sort=False).round(1)
    print(table.reset_index().round(2).to_markdown(index=False))
    summary = found.groupby(["method", "patients"])["held"].agg(["mean", "min"]).round(1)
    print(f"\n{summary.reset_index().to_markdown(index=False)}")
    if options.json:
        options.json.write_text(json.dumps(found.to_dict("records"), indent=1))


if __name__ == "__main__":
    main()
