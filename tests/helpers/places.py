"""Where the tests find the project, and the real data beside it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "workflow_scripts"
PAPER = ROOT / "resources/paper"
REAL_DATA = ROOT.parent / "shared/data"
