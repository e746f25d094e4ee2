"""Time of reading slices, of reading whole stacks, and of the marginals of stacks, on synthetic probabilities.

python tests/benchmarks/stack_reading.py --stacks 5000 --repeats 5 --json stack_reading.json
"""

from functools import partial

import numpy as np
import pandas as pd

from cmrslices.classification.calibration import calibrated_logs
from cmrslices.classification.readings import marginals_by_stack, regions_by_reading
from cmrslices.cohorts.regions import PAPER
from cmrslices.labels import SLICE_CLASSES
from report import arguments, interleaved, report

SLICES = (6, 18)
"""The fewest slices of a stack, and the most."""


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__.splitlines()[0], repeats=5, stacks=5000)
    table = probabilities(options.stacks)
    calls = {reading: partial(regions_by_reading, reading, table, PAPER) for reading in ("slice", "stack")}
    calls["marginals"] = partial(marginals, table)
    times = interleaved(calls, options.repeats)
    rows = [
        {"reading": name, "cpu_s": own.cpu_s, "wall_s": own.wall_s, "repeats": own.repeats}
        for name, own in times.items()
    ]
    report(f"Regions of {options.stacks} stacks, {len(table)} slices", rows, options.json)


def marginals(table: pd.DataFrame) -> np.ndarray:
    """Weights of all classes of all slices, from calibrated probabilities."""
    return marginals_by_stack(table, calibrated_logs(table[list(SLICE_CLASSES)].to_numpy(), 1.3), PAPER)


def probabilities(stacks: int) -> pd.DataFrame:
    """Probabilities of stacks of random length, of which any region may be the most probable."""
    draw = np.random.default_rng(0)
    counts = draw.integers(SLICES[0], SLICES[1] + 1, stacks)
    values = draw.dirichlet([0.5] * len(SLICE_CLASSES), counts.sum())
    columns = dict(zip(SLICE_CLASSES, values.T, strict=True))
    names = np.repeat([f"c_p{number:05}_ED" for number in range(stacks)], counts)
    return pd.DataFrame({"case": names, "slice": np.concatenate([np.arange(count) for count in counts]), **columns})


if __name__ == "__main__":
    main()
