"""Scripts of rules, each in a fork of one process that has imported their packages already.

A script that trains imports for six seconds; its fork does not. Everything else is as in a job: environment, folder,
streams and exit status are those of the process that asks, and the project's own code is imported anew. nnU-Net's
package, too, because it reads its folders from the environment when it is imported.
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path

PRELOADED = (
    *("torch", "torch._dynamo", "torch.utils.data", "torchvision", "blosc2", "acvl_utils.cropping_and_padding.padding"),
    *("dynamic_network_architectures.architectures.unet", "batchgenerators.utilities.file_and_folder_operations"),
    *("batchgeneratorsv2.transforms.noise.gaussian_blur", "SimpleITK", "nibabel", "pydicom", "skimage.measure"),
    *("scipy.ndimage", "scipy.optimize", "scipy.stats", "sklearn.metrics", "pandas.io.formats.style", "xarray"),
    *("matplotlib.figure", "seaborn", "pydantic", "yaml", "tabulate"),
)


def command(folder, owner):
    """Start of a command line that runs a script.

    Parameters
    ----------
    folder : path
        Where the process is found that forks; the first call starts it.
    owner : int
        Process with which that process ends.
    """
    return f"{sys.executable} -I {__file__} {folder} {owner}"


def call(folder, owner, script):
    """Exit status of a script."""
    with connected(folder, owner) as connection:
        what = {"script": script, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
        socket.send_fds(connection, [b"."], [0, 1, 2])
        connection.sendall(json.dumps(what).encode())
        connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(10) or 1)


def connected(folder, owner):
    """Connect to the process that forks, and start it if there is none."""
    connection = socket.socket(socket.AF_UNIX)
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            connection.connect(str(folder / "socket"))
        except OSError:
            (folder / "socket").unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as listener, (folder / "log").open("ab") as log:
                listener.bind(str(folder / "socket"))
                listener.listen(64)
                subprocess.Popen(
                    [sys.executable, __file__, folder, str(owner), str(listener.fileno())],
                    **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": "/"},
                    pass_fds=[listener.fileno()],
                    start_new_session=True,
                )
            connection.connect(str(folder / "socket"))
    return connection


def serve(folder, owner, listener):
    """Run the scripts that are asked for, until the owner ends."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener.settimeout(1)
    while Path(f"/proc/{owner}").exists():
        with contextlib.suppress(TimeoutError):
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(connection)
            connection.close()
    shutil.rmtree(folder)


def answer(connection):
    """Run a script in a fork, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.settimeout(None)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    what = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        status = os.waitstatus_to_exitcode(status)
        connection.sendall(str(status if status >= 0 else 128 - status).encode())
        os._exit(0)
    connection.close()
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    os.chdir(what["folder"])
    os.environ.clear()
    os.environ.update(what["environment"])
    sys.argv = [what["script"]]
    sys.path[0] = str(Path(what["script"]).parent)
    os._exit(status_of(what["script"]))  # modules that a fork has not imported itself complain at a usual end


def status_of(script):
    """Exit status of a script that runs in this process."""
    status = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    place, process, argument = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if argument.isdigit():
        serve(place, process, socket.socket(fileno=int(argument)))
    else:
        sys.exit(call(place, process, argument))
