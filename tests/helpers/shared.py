"""What is made once for all processes of a test run."""

import fcntl
import shutil
from pathlib import Path


def made_once(name, make, tmp_path_factory, worker_id):
    """Folder of this name, made by the first process that asks; the others wait for it.

    Parameters
    ----------
    name : str
        Name of the folder.
    make : function
        Makes a folder of the path that it is given.
    tmp_path_factory, worker_id
        pytest's fixtures.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / name
    with Path(f"{shared}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            making = shared.with_name(f"making_{name}")
            shutil.rmtree(making, ignore_errors=True)
            make(making)
            making.rename(shared)
    return shared
