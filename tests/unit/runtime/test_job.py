"""What a job prints goes to its log; if it fails, the terminal says why, too."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

PATH = {"PYTHONPATH": "workflow_scripts"}


def code_of(folder, body):
    return f"""
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.job import job_log
with job_log({str(folder / "logs/job.log")!r}):
{textwrap.indent(textwrap.dedent(body), "    ")}
print("after")
"""


def run_job(folder, body):
    answer = subprocess.run([sys.executable, "-c", code_of(folder, body)], capture_output=True, text=True, env=PATH)
    return answer, (folder / "logs/job.log").read_text()


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


def test_the_log_is_on_the_disk_while_the_job_runs(tmp_path):
    answer, log = run_job(
        tmp_path, f"print('epoch 1/2', flush=True)\nprint(open({str(tmp_path / 'logs/job.log')!r}).read())"
    )
    assert log.count("epoch 1/2") == 2, answer.stderr


def test_reason_and_log_are_the_last_lines_of_the_terminal_and_the_reason_the_last_of_the_log(tmp_path):
    answer, log = run_job(tmp_path, "print('working')\nraise InputError('a.csv: empty; fill it')")
    assert answer.stderr.splitlines()[-2:] == ["ERROR: a.csv: empty; fill it", f"(log: {tmp_path / 'logs/job.log'})"]
    assert log.splitlines()[-1] == "ERROR: a.csv: empty; fill it"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "raise OSError(28, 'No space left on device', 'a.nii.gz')",
            "ERROR: a.nii.gz: No space left on device: .* make room",
        ),
        ("raise OSError(122, 'Disk quota exceeded')", "ERROR: Disk quota exceeded: .* make room"),
        (
            "raise PermissionError(13, 'Permission denied', 'a.csv')",
            "ERROR: a.csv: Permission denied: let this user write",
        ),
        ("raise MemoryError", "ERROR: out of memory: .* mem_mb"),
        (
            "import torch\nraise torch.OutOfMemoryError('CUDA out of memory')",
            "ERROR: the GPU's memory is full: lower the batch_size",
        ),
        ("raise RuntimeError('CUDA error: out of memory')", "ERROR: the GPU's memory is full"),
        ("raise RuntimeError('cuDNN error: CUDNN_STATUS_ALLOC_FAILED')", "ERROR: the GPU's memory is full"),
        (
            "raise RuntimeError('CUDA error: no kernel image is available for execution on the device')",
            r"ERROR: this build of torch does not know this GPU; docs/cluster.md \(GPUs\)",
        ),
        (
            "raise RuntimeError('CUDA error: CUDA-capable device(s) is/are busy or unavailable')",
            "ERROR: another process has this GPU to itself",
        ),
        (
            "raise RuntimeError('unable to write to file </torch_12_34_0>: No space left on device (28)')",
            "ERROR: /dev/shm is full",
        ),
        (
            "raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that '"
            "'dataloader workers are out of shared memory.')",
            "ERROR: /dev/shm is full",
        ),
        (
            "import errno\nraise OSError(errno.ENOSPC, 'No space left on device', '/dev/shm/sem.1')",
            "ERROR: /dev/shm/sem.1: No space left on device: /dev/shm is full",
        ),
        (
            "from cmrslices.runtime.parallel import map_progress\nlist(map_progress(os._exit, [1, 1], 2, 'case'))",
            "ERROR: a worker process was killed",
        ),
    ],
)
def test_a_fault_of_the_machine_is_said_with_its_remedy(tmp_path, body, reason):
    answer, log = run_job(tmp_path, f"import os\n{body}")
    assert answer.returncode == 1
    assert re.search(reason, answer.stderr)
    assert re.search(reason, log)
    assert "Traceback" not in answer.stderr


def test_a_worker_that_ends_while_the_reason_is_written_does_not_hide_it(tmp_path):
    answer, log = run_job(
        tmp_path,
        """
        import signal, subprocess

        class Killed(RuntimeError):
            def __str__(self):
                subprocess.run(["true"])  # a worker ends now
                return "DataLoader worker (pid 1) is killed by signal: Killed."

        def fail(*_):
            raise Killed

        signal.signal(signal.SIGCHLD, fail)
        subprocess.run(["true"])
        """,
    )
    assert answer.returncode == 1
    for said in (answer.stderr, log):
        assert "a worker process was killed, likely for memory: give the rule more mem_mb" in said


def test_a_disk_that_is_too_full_for_the_log_is_said_on_the_terminal(tmp_path):
    body = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    for _ in range(1000):
        print("a line of the log", flush=True)
    """
    answer, log = run_job(tmp_path, body)
    assert answer.returncode == 1
    assert "ERROR: File too large: the disk or the quota is full; make room" in answer.stderr
    assert len(log) == 10_000


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path):
    user = {"user": 65534} if os.geteuid() == 0 else {}  # root may write everywhere
    (tmp_path / "logs").mkdir(mode=0o555)
    command = [sys.executable, "-c", code_of(tmp_path, "pass")]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, env=PATH, **user)
    except PermissionError:
        pytest.skip("another user than root cannot run this Python")
    assert answer.returncode == 1
    assert f"ERROR: {tmp_path / 'logs'}" in answer.stderr
    assert "Permission denied: let this user write there" in answer.stderr


def test_a_results_folder_without_a_folder_is_named(tmp_path):
    (tmp_path / "logs").write_text("a file")
    answer = subprocess.run([sys.executable, "-c", code_of(tmp_path, "pass")], capture_output=True, text=True, env=PATH)
    assert answer.returncode == 1
    assert "logs" in answer.stderr.splitlines()[-2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_job_with_a_message(tmp_path, number):
    answer, log = run_job(tmp_path, f"import os\nos.kill(os.getpid(), {int(number)})")
    assert answer.returncode == 1
    assert f"ERROR: interrupted ({number.name})" in answer.stderr
    assert f"ERROR: interrupted ({number.name})" in log


def test_a_worker_process_still_ends_by_sigterm(tmp_path):
    body = """
    import multiprocessing, time
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    worker.start()
    time.sleep(0.2)
    worker.terminate()
    worker.join()
    print("exit status", worker.exitcode)
    """
    assert "exit status -15" in run_job(tmp_path, body)[1]


UNTIL_LET_GO = """
print("first", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
open("result", "a").write("first ")
"""


class TwoJobs:
    """A job that lasts until it is let go, and a second one with the same log, as Snakemake starts it."""

    def __init__(self, folder):
        self.folder = folder
        self.first = self.start(UNTIL_LET_GO)
        self.wait_for(lambda: (folder / "logs/job.log").exists() and "first" in (folder / "logs/job.log").read_text())
        (folder / "logs/job.log").unlink()
        self.second = self.start("print('second')\nopen('result', 'a').write('second')")

    def start(self, body):
        quick = "import os, time\nfrom cmrslices.runtime import job\n"
        quick += "job.POLL_S, job.REMIND_S, job.SETTLE_S = 0.05, 0.2, 0\n"
        code = quick + code_of(self.folder, body)
        environment = {"PYTHONPATH": str(Path("workflow_scripts").resolve()), "SLURM_JOB_ID": "4711"}
        return subprocess.Popen(
            [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=environment, cwd=self.folder
        )

    def wait_for(self, condition):
        while not condition():
            assert self.first.poll() is None
            time.sleep(0.05)

    def let_go(self):
        (self.folder / "go").touch()


@pytest.fixture
def two_jobs(tmp_path):
    jobs = TwoJobs(tmp_path)
    yield jobs
    for process in (jobs.first, jobs.second):
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_second_job_with_the_same_log_says_for_whom_it_waits_and_runs_after_it(two_jobs):
    waiting = two_jobs.second.stderr.readline()
    assert f"waiting for another job with the same output, process {two_jobs.first.pid} on " in waiting
    assert ", SLURM job 4711, to end" in waiting
    assert two_jobs.second.stderr.readline() == waiting  # a reminder
    two_jobs.let_go()
    assert two_jobs.second.wait() == 0
    assert two_jobs.first.wait() == 0
    assert (two_jobs.folder / "result").read_text() == "first second"
    assert (two_jobs.folder / "logs/job.log").read_text() == "second\n"


def test_a_second_job_goes_on_when_the_first_is_killed(two_jobs):
    two_jobs.second.stderr.readline()
    two_jobs.first.kill()
    assert two_jobs.second.wait() == 0
    assert (two_jobs.folder / "result").read_text() == "second"


def test_a_job_that_waits_can_be_stopped(two_jobs):
    two_jobs.second.stderr.readline()
    two_jobs.second.terminate()
    assert two_jobs.second.wait() == 1
    assert "ERROR: interrupted (SIGTERM)" in two_jobs.second.stderr.read()


def test_a_file_system_without_locks_is_warned_of(tmp_path):
    code = "import fcntl\ndef none(*_):\n    raise OSError(38, 'Function not implemented')\nfcntl.flock = none\n"
    command = [sys.executable, "-c", code + code_of(tmp_path, "print('own')")]
    answer = subprocess.run(command, capture_output=True, text=True, env=PATH)
    assert answer.returncode == 0
    assert "WARNING: no lock on " in answer.stderr
    assert (tmp_path / "logs/job.log").read_text() == "own\n"
