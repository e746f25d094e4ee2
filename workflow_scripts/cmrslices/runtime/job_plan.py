"""What the jobs of a run were planned with, so that a job notices when it would compute with something else.

Hours can pass between the start of a run and the start of a job. If code or configuration is edited meanwhile, the job
would compute with the new text, but Snakemake's records would name the old one. So a run writes its plan down when it
starts, and each job compares. Jobs find the plan by an environment variable, which a cluster hands on to them.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cmrslices.runtime.code_digest import code_digest
from cmrslices.runtime.errors import InputError

VARIABLE = "CMRSLICES_PLAN"
PLANS_KEPT = 20
REMEDY = "put it back, or let this run end and start it again"


def write_plan(folder: str | Path, jobs: Iterable[Any], code: Mapping[str, str]) -> None:
    """Write down what the jobs of a run were planned with, and tell the jobs where.

    Parameters
    ----------
    folder : path
        Where plans are kept; the oldest are removed.
    jobs : iterable of snakemake.jobs.Job
        The jobs that the run will start.
    code : mapping of str to str
        Name of each rule's script to the digest of its code.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.json"))[: -PLANS_KEPT + 1 or None]:
        old.unlink(missing_ok=True)
    file = folder / f"{time.time_ns()}.json"
    parameters = {job_name(job.rule.name, job.wildcards_dict): described(job.params) for job in jobs}
    file.write_text(json.dumps({"code": dict(code), "parameters": parameters}))
    os.environ[VARIABLE] = str(file.resolve())


def check_as_planned(rule: str, wildcards: Mapping[str, str], parameters: Any, script: str | Path) -> None:
    """Compare a job that is about to compute with the plan of its run, where there is one.

    Parameters
    ----------
    rule, wildcards
        Which job it is.
    parameters : snakemake.io.Params
        What the job was given.
    script : path
        Its script, from which the digest of the code is computed anew.

    Raises
    ------
    InputError
        The code or a parameter is not what was planned.
    """
    file = os.environ.get(VARIABLE)
    if not file or not Path(file).exists():
        return
    plan = json.loads(Path(file).read_text())
    job = job_name(rule, wildcards)
    planned = plan["parameters"].get(job)
    if planned is None:
        return
    now = described(parameters)
    changed = [name for name in planned if name != "code" and planned[name] != now.get(name)]
    if changed:
        told = "; ".join(f"{name} was {planned[name]} and is {now.get(name)}" for name in changed)
        raise InputError(f"{job}: the configuration was changed after this run was planned: {told}; {REMEDY}")
    stem = Path(script).stem
    if plan["code"].get(stem) != code_digest(script):
        raise InputError(
            f"{job}: the code of workflow_scripts/{stem}.py, or of a module that it imports, was changed after this "
            f"run was planned; {REMEDY}"
        )


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Name of a job, such as ``train_segmenter model=apex``."""
    return " ".join([rule, *(f"{name}={value}" for name, value in sorted(wildcards.items()))])


def described(parameters: Any) -> dict[str, str]:
    """Name of each parameter to its value as text."""
    return {name: repr(value) for name, value in parameters.items()}
