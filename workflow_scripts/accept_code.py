"""Keep finished results although code changed.

python workflow_scripts/accept_code.py [--because REASON RULE [RULE ...]] [-- ARGUMENTS OF SNAKEMAKE]

The arguments of Snakemake are those of the run, such as ``--configfile mine.yaml``. Without a rule, the command lists
the rules whose code changed since their results were made. With rules, or with ``all``, Snakemake no longer runs them
again for that change. What was accepted, and the reason, is recorded in provenance.yaml.
"""

import sys

from cmrslices.commands.accept import accept
from cmrslices.runtime.errors import InputError


def main() -> None:
    """Print what was accepted, or what can be."""
    try:
        print(accept(sys.argv[1:]))
    except InputError as fault:
        raise SystemExit(str(fault)) from None


if __name__ == "__main__":
    main()
