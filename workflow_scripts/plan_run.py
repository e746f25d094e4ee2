"""What a run would take, before it is submitted: python workflow_scripts/plan_run.py [any arguments of snakemake]."""

import sys

from cmrslices.commands.estimate import describe
from cmrslices.commands.snakemake_call import read_call
from cmrslices.runtime.errors import InputError


def main() -> None:
    """Print jobs, GPU hours, disk and what is missing; stop as Snakemake would."""
    try:
        print(describe(read_call(sys.argv[1:])))
    except InputError as fault:
        raise SystemExit(str(fault)) from None


if __name__ == "__main__":
    main()
