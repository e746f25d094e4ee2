"""What an approach needs to segment, in one folder: python workflow_scripts/bundle.py RESULTS APPROACH FOLDER.

RESULTS is a finished run, APPROACH a row of its configuration, and FOLDER a folder to make.
Another workflow segments with it: approaches: { theirs: { title: Theirs, bundle: FOLDER } }. docs/bundles.md says more.
"""

import sys

from cmrslices.commands.bundling import make_bundle
from cmrslices.prediction.bundle import CARD, MANIFEST
from cmrslices.runtime.errors import InputError


def main() -> None:
    """Make the bundle, and tell its SHA-256."""
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    try:
        bundle = make_bundle(results=sys.argv[1], approach=sys.argv[2], folder=sys.argv[3])
    except InputError as fault:
        raise SystemExit(str(fault)) from None
    print(f"{bundle.folder}: {len(bundle.content['files']) + 1} files; {CARD} describes it")
    print(f"SHA-256 of {MANIFEST}, which stands for all files: {bundle.digest}")


if __name__ == "__main__":
    main()
