"""How often intervals over patients, and over runs, hold the truth when trainings differ as well.

PYTHONPATH=workflow_scripts python tests/benchmarks/trainings.py results/published/acdc acdc

As in coverage.py, the tested patients of the published runs are the population. Every draw has five runs of 20
patients. All slices of a run get one shift, as if the training of the approach had turned out better or worse there.
The shifts are normal with mean 0; ``--shifts`` gives their SD. It is left out that folds share training patients.
"""

import numpy as np
import pandas as pd
from coverage import difference, parser_of_populations, population, with_jackknife

from cmrslices.evaluation.over_runs import over_runs

RUNS, PATIENTS = 5, 20


def draw(sums: np.ndarray, shift_sd: float, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Sums and numbers of slices of drawn patients, shape (4, draws, runs, patients), with a shift of every run."""
    drawn = sums[:, generator.integers(0, sums.shape[1], (draws, RUNS, PATIENTS))]
    shifts = generator.normal(0, shift_sd, (draws, RUNS, 1))
    return np.stack([drawn[0] + shifts * drawn[1], *drawn[1:]])


def with_runs(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The intervals over runs of the answers."""
    single = difference(drawn.sum(3))
    answered = {"estimate": difference(drawn.sum((2, 3))), "low": 0.0, "runs": np.isfinite(single).sum(1)}
    rows = pd.DataFrame(answered).assign(run_sd=np.nanstd(single, axis=1, ddof=1))
    found = over_runs(rows.assign(question="change"), ["question"])[["low", "high"]].reindex(rows.index)
    return found["low"].to_numpy(), found["high"].to_numpy()


def coverage(questions: dict, shift_sd: float, draws: int, seed: int) -> pd.DataFrame:
    """Percentage of the intervals about changes that hold the truth, and their median width in points."""
    generator, rows = np.random.default_rng(seed), []
    for (question, label, region), sums in questions.items():
        if question == "change":
            truth, drawn = difference(sums.sum(1)), draw(sums, shift_sd, draws, generator)
            intervals = {"patients": with_jackknife(drawn.reshape(4, draws, -1)), "runs": with_runs(drawn)}
            for over, (low, high) in intervals.items():
                held, width = 100 * np.mean((low <= truth) & (truth <= high)), np.nanmedian(high - low)
                rows.append({"over": over, "label": label, "region": region, "held": held, "width": width})
    return pd.DataFrame(rows).assign(shift_sd=shift_sd)


def main() -> None:
    """Print, for each SD of the trainings, the mean and the lowest coverage over labels and regions."""
    parser = parser_of_populations(__doc__)
    parser.add_argument(
        "--shifts", type=float, nargs="+", default=[0, 0.5, 1, 2], help="SDs of the trainings, in points"
    )
    parser.add_argument("--draws", type=int, default=2000)
    options = parser.parse_args()
    questions = population(options.folder, options.cohort, options.approach, options.rule)
    found = pd.concat(coverage(questions, shift, options.draws, seed=1) for shift in options.shifts)
    summary = found.groupby(["over", "shift_sd"]).agg({"held": ["mean", "min"], "width": "median"})
    print(summary.round(1).to_markdown())


if __name__ == "__main__":
    main()
