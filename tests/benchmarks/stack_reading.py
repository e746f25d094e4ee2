"""Time of the rule `read_stacks`' function and of reading each slice by itself, on synthetic probabilities of stacks.

python tests/benchmarks/stack_reading.py --stacks 5000 --repeats 5 --json stack_reading.json
"""

from functools import partial

import numpy as np
import pandas as pd

from cmrslices.classification.readings import regions_by_reading
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
    times = interleaved(calls, options.repeats)
    rows = [
        {"reading": name, "cpu_s": own.cpu_s, "wall_s": own.wall_s, "repeats": own.repeats}
        for name, own in times.items()
    ]
    report(f"Regions of {options.stacks} stacks, {len(table)} slices", rows, options.json)


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
