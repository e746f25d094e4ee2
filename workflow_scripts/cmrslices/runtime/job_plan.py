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
LONGEST = 200
"""Characters of a value that a message shows; of a longer one, it says only that it has changed."""


def write_plan(folder: str | Path, jobs: Iterable[Any], code: Mapping[str, str]) -> None:
    """Write down what the jobs of a run were planned with, and tell the jobs where.

    Parameters
    ----------
    folder : path
        Where plans are kept; the oldest are removed.
    jobs : iterable of snakemake.jobs.Job
        The jobs that the run will start.
    code : mapping of str to str
        Name of the script of each rule to the digest of its code. It may be filled while the jobs' parameters are read.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.json"))[: -PLANS_KEPT + 1 or None]:
        old.unlink(missing_ok=True)
    file = folder / f"{time.time_ns()}.json"
    given = {job_name(job.rule.name, job.wildcards_dict): described(job.input, job.params) for job in jobs}
    file.write_text(json.dumps({"code": dict(code), "given": given}))
    os.environ[VARIABLE] = str(file.resolve())


def check_as_planned(rule: str, wildcards: Mapping[str, str], inputs: Any, parameters: Any, script: str | Path) -> None:
    """Compare a job that is about to compute with the plan of its run, where there is one.

    Parameters
    ----------
    rule, wildcards
        Which job it is.
    inputs : snakemake.io.InputFiles
        The files that the job was given. A key that only chooses a file is no parameter.
    parameters : snakemake.io.Params
        The parameters that the job was given.
    script : path
        Its script, from which the digest of the code is computed anew.

    Raises
    ------
    InputError
        The code, a parameter or the path of an input is not what was planned.
    """
    file = os.environ.get(VARIABLE)
    if not file or not Path(file).exists():
        return
    plan = json.loads(Path(file).read_text())
    job = job_name(rule, wildcards)
    planned = plan["given"].get(job)
    if planned is None:
        return
    differences = described_differences(planned, described(inputs, parameters))
    if differences:
        raise InputError(
            f"{job}: the configuration was changed after this run was planned: {'; '.join(differences)}; {REMEDY}"
        )
    stem = Path(script).stem
    if plan["code"].get(stem) != code_digest(script):
        raise InputError(
            f"{job}: the code of workflow_scripts/{stem}.py, or of a module that it imports, was changed after this "
            f"run was planned; {REMEDY}"
        )


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Name of a job, such as ``train_segmenter model=apex``."""
    return " ".join([rule, *(f"{name}={value}" for name, value in sorted(wildcards.items()))])


def described(inputs: Any, parameters: Any) -> dict[str, str]:
    """Name of each input and parameter, such as ``training.epochs``, to its value as text.

    The parameter ``code`` is left out, because the digest of the code is compared by itself.
    """
    files = {name: str(given) if isinstance(given, str) else list(map(str, given)) for name, given in inputs.items()}
    return _leaves({"input": files, **{name: value for name, value in parameters.items() if name != "code"}})


def described_differences(planned: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two descriptions of a job, such as ``training.epochs was 3 and is 4``."""
    told = []
    for name in sorted({*planned, *now}):
        before, after = planned.get(name, "not given"), now.get(name, "not given")
        if before != after:
            is_long = max(len(before), len(after)) > LONGEST
            told.append(f"{name} has changed" if is_long else f"{name} was {before} and is {after}")
    return told


def _leaves(values: Mapping[str, Any]) -> dict[str, str]:
    leaves: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= {f"{name}.{inner}": text for inner, text in _leaves(value).items()}
        else:
            leaves[name] = repr(value)
    return leaves
