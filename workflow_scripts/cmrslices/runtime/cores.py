"""Threads that wait without keeping the cores busy, for cores that other work uses, too."""

from collections.abc import MutableMapping

SPINS = "1000"
"""How often a thread asks whether the others are ready before it sleeps; libgomp asks for minutes. By measurement
(``tests/benchmarks/RESULTS.md``): 0 to 14 % slower on cores that nobody else uses, many times faster on others."""
OWN_CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def share_cores(environment: MutableMapping[str, str]) -> None:
    """Let the threads of libgomp, which torch computes with on a CPU, sleep while they wait for one another.

    libgomp reads the environment when it is loaded. So this has to happen before the process that computes is started.

    Parameters
    ----------
    environment : dict of str to str
        ``os.environ``. If it says already how threads wait, it is left as it is.

    Examples
    --------
    >>> mine = {}
    >>> share_cores(mine)
    >>> mine
    {'GOMP_SPINCOUNT': '1000'}
    """
    if not any(name in environment for name in OWN_CHOICES):
        environment["GOMP_SPINCOUNT"] = SPINS
