"""What published runs say, with intervals: python workflow_scripts/answer_runs.py FOLDER.

FOLDER, such as results/published/acdc, holds a folder seed* or fold* per run that publish.py made. Written into it:
answers.csv and .md; for each cohort a forest plot and a picture of training against gain; agreement.csv and .md, the
paper's Tables 1 and 3 cell by cell; function_changes.csv and .md, the errors of volumes and ejection fractions; and
region_rules.csv and .md: whether the answers hold by another rule of which slices are base and apex.
"""

import sys
from pathlib import Path

from cmrslices.commands.runs import write_answers_of_runs
from cmrslices.runtime.errors import InputError

PAPER = Path(__file__).parents[1] / "resources/paper"


def main() -> None:
    """Write the answers beside the runs."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        write_answers_of_runs(folder=sys.argv[1], paper=PAPER)
    except InputError as fault:
        raise SystemExit(str(fault)) from None


if __name__ == "__main__":
    main()
