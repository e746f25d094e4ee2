"""What published seeds say, with intervals: python workflow_scripts/answer_seeds.py FOLDER.

FOLDER, such as results/published/acdc, holds a folder seed* per run that publish.py made. Written into it:
answers.csv and .md, a forest plot of each cohort, and agreement.csv and .md, the paper's Tables 1 and 3
cell by cell.
"""

import sys
from pathlib import Path

from cmrslices.commands.seeds import write_answers_of_seeds
from cmrslices.runtime.errors import InputError

PAPER = Path(__file__).parents[1] / "resources/paper"


def main() -> None:
    """Write the answers beside the seeds."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        write_answers_of_seeds(folder=sys.argv[1], paper=PAPER)
    except InputError as fault:
        raise SystemExit(str(fault)) from None


if __name__ == "__main__":
    main()
