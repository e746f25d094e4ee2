"""What may be published of a finished run: python workflow_scripts/publish.py RESULTS TARGET.

TARGET is a folder to make, such as results/published/acdc/fold1_seed1; docs/public.md says more.
"""

import sys

from cmrslices.commands.publication import publish
from cmrslices.runtime.errors import InputError


def main() -> None:
    """Copy scores, tables, figures, curves and timings; stop at anything that may name a patient."""
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    try:
        publish(results=sys.argv[1], target=sys.argv[2])
    except InputError as fault:
        raise SystemExit(str(fault)) from None


if __name__ == "__main__":
    main()
