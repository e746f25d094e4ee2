"""A job's output goes to its log; a failure says why in the terminal too."""

import subprocess
import sys
import textwrap


def run_job(tmp_path, body):
    code = f"""
from cmrslices.errors import InputError
from cmrslices.job import job_log
with job_log({str(tmp_path / "logs/job.log")!r}):
{textwrap.indent(textwrap.dedent(body), "    ")}
print("after")
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": "workflow_scripts"}
    )
    return answer, (tmp_path / "logs/job.log").read_text()


def test_output_of_the_job_and_of_its_processes_goes_to_the_log(tmp_path):
    answer, log = run_job(tmp_path, "import os\nprint('own')\nos.system('echo child')")
    assert answer.returncode == 0
    assert {"own", "child"} <= set(log.split())
    assert answer.stdout.split() == ["after"]


def test_an_input_error_is_shown_as_its_message_alone(tmp_path):
    answer, log = run_job(tmp_path, "raise InputError('cohort.csv: no column image; add it')")
    assert answer.returncode == 1
    assert "ERROR: cohort.csv: no column image; add it" in answer.stderr
    assert "Traceback" not in answer.stderr + log


def test_a_fault_of_the_code_keeps_its_traceback_in_the_log(tmp_path):
    answer, log = run_job(tmp_path, "1 / 0")
    assert answer.returncode == 1
    assert "ZeroDivisionError: division by zero" in answer.stderr
    assert "Traceback" in log
