"""What the benchmarks share: interleaved repeats, their medians, and a table and a JSON file with what made them."""

import argparse
import contextlib
import datetime
import importlib.metadata
import io
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

PACKAGES = ("numpy", "SimpleITK", "nibabel", "torch", "torchvision", "nnunetv2", "blosc2", "pandas")
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Times:
    """Medians over the repeats of one variant, in seconds."""

    wall_s: float
    cpu_s: float
    repeats: int


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Print nothing."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def arguments(description: str, repeats: int = 5, **defaults: object) -> argparse.Namespace:
    """Read ``--json`` and ``--repeats``, and an option for each of `defaults`, of its type.

    Parameters
    ----------
    description : str
    repeats : int
    **defaults
        Option to its value where it is not given: a number, a string, or a tuple of numbers.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--json", help="file to write, for RESULTS.md")
    parser.add_argument("--repeats", type=int, default=repeats)
    for name, value in defaults.items():
        many = {"nargs": "+"} if isinstance(value, tuple) else {}
        kind = type(value[0] if many else value)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value, **many, help=" ")
    return parser.parse_args()


def interleaved(
    variants: Mapping[str, Callable[[], object]], repeats: int, warm_ups: int = 1, synchronise: Callable = lambda: None
) -> dict[str, Times]:
    """Time variants of the same work in turns, so that other load on the machine meets all of them.

    Parameters
    ----------
    variants : dict of name to function
    repeats, warm_ups : int
        Measured and unmeasured runs of each.
    synchronise : callable
        Called before a clock is read, for a GPU: ``torch.cuda.synchronize``.

    Returns
    -------
    dict of name to Times
        CPU time is this process's and its ended children's.
    """
    taken = {name: [] for name in variants}
    for turn in range(-warm_ups, repeats):
        for name, function in variants.items():
            synchronise()
            before = time.perf_counter(), cpu_s()
            function()
            synchronise()
            if turn >= 0:
                taken[name].append((time.perf_counter() - before[0], cpu_s() - before[1]))
    return {
        name: Times(*(statistics.median(column) for column in zip(*times, strict=True)), repeats)
        for name, times in taken.items()
    }


def cpu_s() -> float:
    """CPU time of this process and its ended children, user and system."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compared(times: Mapping[str, Times], against: str) -> list[dict]:
    """Rows of a table: each variant, and how many times faster it is than the variant `against`."""
    return [
        {
            "variant": name,
            **asdict(own),
            "wall_ratio": times[against].wall_s / own.wall_s,
            "cpu_ratio": times[against].cpu_s / own.cpu_s if own.cpu_s else None,
        }
        for name, own in times.items()
    ]


def report(title: str, rows: Sequence[Mapping], json_path: str | Path | None, **facts: object) -> None:
    """Print a table, and write it as JSON with the command, the machine and the versions.

    Parameters
    ----------
    title : str
    rows : sequence of dict
        The table's rows, with the same keys.
    json_path : path or None
        None writes nothing.
    **facts
        Further results that are no rows, such as an exponent.
    """
    print(f"\n{title}\n{tabulate(rows, headers='keys', floatfmt='.4g')}")
    for name, value in facts.items():
        print(f"{name}: {value}")
    if json_path:
        content = {"title": title, "rows": list(rows), **facts, **conditions()}
        Path(json_path).write_text(json.dumps(content, indent=1, default=str) + "\n")


def conditions() -> dict:
    """The command, the date, the machine without its name, and the versions."""
    command = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return {
        "command": shlex.join(["python", f"tests/benchmarks/{command[0]}", *command[1:]]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "load_average": os.getloadavg(),
    }


def machine() -> dict:
    """Cores, processor, its features that matter here, memory and GPU; no host name."""
    info = Path("/proc/cpuinfo").read_text()
    lines = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in lines.items()}
    flags = named.get("flags", "").split()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": named.get("model name", ""),
        "cores": len(os.sched_getaffinity(0)),
        "features": [feature for feature in FEATURES if feature in flags],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": _gpu(),
    }


def versions() -> dict:
    """Python and the installed packages that the figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _gpu() -> str | None:
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
