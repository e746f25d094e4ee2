"""Conversion of DICOM studies with cvi42 contours against reading the same files' headers with pydicom alone.

PYTHONPATH=workflow_scripts python tests/benchmarks/studies.py --studies 1000 --json studies.json

The studies are copies (hard links) of one synthetic study of each maker. Times are processor time on one core, memory
is the largest of the process.
"""

import functools
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pydicom

from cmrslices.cohorts.convert.cohort import convert_cohort
from cmrslices.demo import exam
from cmrslices.demo.cohorts import CONTRACTIONS
from cmrslices.demo.dicom import MAKERS
from cmrslices.demo.layouts import write_cvi42
from cmrslices.demo.patients import make_patient
from report import arguments, report

FRAMES = 30

# Not ru_maxrss, which a child takes over from the process that started it.
PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def write_studies(folder: Path, studies: int) -> None:
    """Write as many patient folders as there are studies, with a study of each maker in turn."""
    # A clinic's cine has more frames than the demo's.
    exam.CONTRACTION = tuple(
        1 - abs(1 - frame / (FRAMES // 3)) if frame < FRAMES // 2 else 0.1 for frame in range(FRAMES)
    )
    make = functools.partial(make_patient, "bench", "cvi42", seed=0, contractions=CONTRACTIONS["cvi42"])
    write_cvi42((make(number) for number in range(len(MAKERS))), folder / "makers")
    originals = itertools.cycle(sorted((folder / "makers").iterdir()))
    for number, original in zip(range(studies), originals, strict=False):
        shutil.copytree(original, folder / f"raw/S{number:05d}", copy_function=os.link)


def read_headers(folder: Path) -> int:
    """Read all headers below a folder with pydicom as it comes; return the number of files."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".cvi42wsx"]
    for file in files:
        pydicom.dcmread(file, stop_before_pixels=True)
    return len(files)


def convert(raw: Path, out: Path) -> None:
    """Convert the cohort on one core."""
    row = {"format": "cvi42", "folder": str(raw)}
    convert_cohort("bench", row, out / "images", out / "labels", out / "cases.csv", out / "finished", "code", 1)


def measure(raw: Path, out: Path) -> dict:
    """Time conversion and headers of a folder of studies; memory of the conversion in a process of its own."""
    studies = len(list(raw.iterdir()))
    started = time.process_time()
    files = read_headers(raw)
    headers_s = time.process_time() - started
    program = (
        "import time, studies; from pathlib import Path; started = time.process_time()\n"
        f"studies.convert(Path({str(raw)!r}), Path({str(out)!r})); print(time.process_time() - started)\n{PEAK}"
    )
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=here)
    *_, convert_s, peak_kb = answer.stdout.split()
    return {
        "studies": studies,
        "files a study": files / studies,
        "headers alone [ms a study]": 1000 * headers_s / studies,
        "conversion [ms a study]": 1000 * float(convert_s) / studies,
        "ratio": float(convert_s) / headers_s,
        "peak memory [MB]": int(peak_kb) // 1024,
    }


def main() -> None:
    """Measure a tenth of the studies, then all of them."""
    options = arguments(__doc__.splitlines()[0], repeats=1, studies=1000)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for studies in (options.studies // 10, options.studies):
            place = Path(folder, str(studies))
            place.mkdir()
            write_studies(place, studies)
            read_headers(place / "raw")  # into the page cache
            rows.append(measure(place / "raw", place / "out"))
    growth = np.diff([row["peak memory [MB]"] for row in rows])[0]
    report("DICOM studies with cvi42 contours", rows, options.json, memory_growth_mb=int(growth))


if __name__ == "__main__":
    main()
