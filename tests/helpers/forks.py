"""Snakemake's command line, each call in a fork of one process that has imported it already.

A dry run costs half a second instead of two; everything else is as in a terminal. The scripts of a run are forks, too:
see `script_forks`.
"""

import atexit
import functools
import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import script_forks

# What a first call imports late; the project's own library stays out, for its modules change between calls.
PRELOADED = ("pydantic", "smart_open", "nbformat", "snakemake.api", "snakemake.dag", "snakemake.workflow")


class Snakemake:
    """A process that waits for calls.

    Parameters
    ----------
    folder : path
        Takes what a call prints.
    scripts : str
        What the command line of a rule's script begins with.
    """

    def __init__(self, folder, scripts):
        self.streams = [Path(folder) / name for name in ("stdout", "stderr")]
        self.process = subprocess.Popen(
            [sys.executable, __file__, scripts, *self.streams],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, folder, arguments):
        """Exit status, and what was printed, of a call in a folder, with the variables of this process."""
        arguments = [str(argument) for argument in arguments]
        print(json.dumps([str(folder), arguments, dict(os.environ)]), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, *(stream.read_text() for stream in self.streams))

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@functools.cache
def forked_snakemake():
    """The process that runs the calls of this one."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")  # all processes of a test run share what runs the scripts
    owner = os.getppid() if run else os.getpid()
    scripts = script_forks.command(Path(tempfile.gettempdir()) / f"scripts_{run or owner}", owner)
    snakemake = Snakemake(folder.name, scripts)
    atexit.register(snakemake.close)
    return snakemake


def serve(scripts, *streams):
    """Run the calls that arrive on the standard input; `scripts` is what a script's command line begins with."""
    import importlib

    sys.dont_write_bytecode = True  # of modules that tests edit; the jobs of a run still write theirs
    for name in PRELOADED:
        importlib.import_module(name)
    from snakemake import cli
    from snakemake.script import PythonScript

    def execute_script(self, fname, edit=False):
        self._execute_cmd("{scripts} {fname:q}", scripts=scripts, fname=fname)

    PythonScript.execute_script = execute_script
    cli.get_argument_parser()  # finds the plugins
    gc.freeze()
    for line in sys.stdin:
        folder, arguments, environment = json.loads(line)
        child = os.fork()
        if child == 0:
            for descriptor, stream in enumerate(streams, 1):
                os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            cli.main(arguments)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
