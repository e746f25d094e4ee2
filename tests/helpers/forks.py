"""Snakemake's command line, each call in a fork of one process that has imported it already.

A dry run costs a third of a second instead of two; everything else is as in a terminal.
"""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

# What a first call imports late; the project's own library stays out, for its modules change between calls.
PRELOADED = ("pydantic", "smart_open", "nbformat", "snakemake.api", "snakemake.dag", "snakemake.workflow")


class Snakemake:
    """A process that waits for calls.

    Parameters
    ----------
    answer : path
        File that takes what a call prints.
    """

    def __init__(self, answer):
        self.answer = Path(answer)
        self.process = subprocess.Popen(
            [sys.executable, __file__, answer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def __call__(self, folder, arguments):
        """Exit status, and what was printed to both streams, of a call in a folder."""
        print(json.dumps([str(folder), [str(argument) for argument in arguments]]), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        return status, self.answer.read_text()

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def serve(answer):
    """Run the calls that arrive on the standard input."""
    import importlib

    for name in PRELOADED:
        importlib.import_module(name)
    from snakemake import cli

    cli.get_argument_parser()  # finds the plugins
    gc.freeze()
    for line in sys.stdin:
        folder, arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            output = os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(folder)
            cli.main(arguments)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
