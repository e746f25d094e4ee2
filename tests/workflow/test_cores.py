"""Jobs inherit how threads wait on cores that other work uses, too."""

import subprocess
import sys

import pytest
from places import ROOT

from cmrslices.runtime.cores import OWN_CHOICES


@pytest.mark.parametrize(("key", "seen"), [("", "1000"), ("--config shared_cores=false", "none")])
def test_every_job_of_the_workflow_inherits_it_unless_the_configuration_says_no(key, seen, tmp_path, monkeypatch):
    for name in OWN_CHOICES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Snakefile").write_text(
        f'include: "{ROOT}/Snakefile"\n\n\nrule say:\n    output:\n        "said"\n    shell:\n'
        '        "echo ${{GOMP_SPINCOUNT-none}} > {output}"\n'
    )
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "1",
        "--nolock",
        "--no-hooks",
        "-q",
        *key.split(),
        "--",
        "said",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "said").read_text().strip() == seen
