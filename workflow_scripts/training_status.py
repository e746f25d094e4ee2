"""What every training is doing: python workflow_scripts/training_status.py [results folder | arguments of snakemake].

A results folder shows the trainings that have begun; the arguments of the run, such as ``--profile slurm
--configfile mine.yaml``, show those that wait, too.
"""

import sys
import time
from pathlib import Path

from cmrslices.commands.snakemake_call import read_call
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.status import status_table, trainings


def main() -> None:
    """Print a line per training, from the logs as they are now."""
    arguments = sys.argv[1:]
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        results, names = Path(arguments[0]), {}
    else:
        try:
            call = read_call(arguments)
        except InputError as fault:
            raise SystemExit(str(fault)) from None
        results = call.folder / call.settings.results
        networks = list(call.settings.classification.networks) if call.settings.trained_on() else []
        names = {"train_segmenter": call.settings.models_used(), "train_classifier": networks}
    found = trainings(results, names, time.time())
    print(status_table(found) if found else f"{results}: no training has a log there")


if __name__ == "__main__":
    main()
