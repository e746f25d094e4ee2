"""Configuration, paths and input functions that the other rule files share."""

import os
import sys

from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

LIBRARY = PROJECT / "workflow_scripts"
sys.path.insert(0, str(LIBRARY))

import cmrslices
from cmrslices.cohorts.convert import check_folder, raw_names as names_in
from cmrslices.config import load_settings
from cmrslices.runtime import accepted_code
from cmrslices.runtime.code_digest import code_digest
from cmrslices.runtime.errors import CollectedErrors, InputError
from cmrslices.runtime.slurm_guard import guard_slurm

if Path(cmrslices.__file__).resolve().parents[1] != LIBRARY.resolve():  # Python imports a package only once
    raise WorkflowError(
        f"{PROJECT} and {Path(cmrslices.__file__).parents[2]}: use modules of one clone in a workflow"
    )

# Snakemake reads no configfile for a module with a `config:`, and what the caller gives there may be a part of it.
if not workflow.modifier.is_main_snakefile():
    given, config = config, load_configfile(PROJECT / "config.yaml")
    update_config(config, given)

try:
    SETTINGS = load_settings(config)
except InputError as fault:
    raise WorkflowError(str(fault)) from None

guard_slurm()

RESULTS = Path(SETTINGS.results)
ACCEPTED = accepted_code.read_accepted(workflow.modifier.modify_path(str(RESULTS / accepted_code.FILE)))
PAPER = Path(os.path.relpath(PROJECT)) / "resources/paper"  # relative: a moved clone re-runs nothing
COHORTS = {name: row.model_dump(exclude={"title"}) for name, row in SETTINGS.cohorts.items()}
TRAINING = SETTINGS.training_cohort
NETWORKS = list(SETTINGS.classification.networks)
BASELINE = SETTINGS.evaluation.baseline
TITLES = {
    "cohorts": {name: row.title for name, row in SETTINGS.cohorts.items()},
    "approaches": {name: row.title for name, row in SETTINGS.approaches.items()},
}

DATASET = f"Dataset001_{TRAINING}"
PREPROCESSED = RESULTS / "nnunet/preprocessed" / DATASET
MODELS = RESULTS / "nnunet/results" / DATASET
MODEL_WEIGHTS = str(MODELS / "SliceTrainer__nnUNetPlans__{model}/fold_0/checkpoint_final.pth")


wildcard_constraints:
    cohort="|".join(SETTINGS.cohorts),
    model="|".join(SETTINGS.models),
    network="|".join(NETWORKS),
    approach="|".join(SETTINGS.approaches),


def code_of(script):
    """Digest of a script and of the library modules that it imports: a change re-runs the rule, if not accepted."""
    return accepted_code.digest_of_results(ACCEPTED, script, code_digest(LIBRARY / f"{script}.py"))


def caption(name, category, **labels):
    """Place of an output in the report, with its caption from report/."""
    return dict(caption=f"../report/{name}.rst", category=category, labels=labels)


def paper_table(name):
    """One table of the paper; `local`, so that the prefix of a module is not put before its path."""
    return local(PAPER / f"{name}.csv")


def is_demo(cohort):
    return bool(SETTINGS.demo) and cohort in SETTINGS.demo.patients


def raw_folder(wildcards):
    """The raw folder, where there is one; a real one's age does not count, what it holds does (raw_names).

    It is `local`, as the output of make_demo_cohort is, so that the prefix of a module is not put before it.
    """
    folder = local(COHORTS[wildcards.cohort]["folder"])
    if is_demo(wildcards.cohort):
        return folder
    return ancient(folder) if Path(folder).is_dir() else []


def raw_names(wildcards):
    """The cases that a raw folder holds, so that an added one re-runs the conversion."""
    return [] if is_demo(wildcards.cohort) else names_in(COHORTS[wildcards.cohort])


def initial_weights(wildcards):
    """ImageNet weights of a network: downloaded, from a folder, or none."""
    source = SETTINGS.classification.initial_weights
    if source == "none":
        return []
    if source == "imagenet":
        return RESULTS / f"classifiers/imagenet/{wildcards.network}.pth"
    return local(Path(source) / f"{wildcards.network}.pth")


def model_weights(wildcards):
    """Weights of each model that an approach routes to."""
    return expand(MODEL_WEIGHTS, model=SETTINGS.approaches[wildcards.approach].models_used())


def router_regions(wildcards):
    """What an approach's router reads: nothing, reference regions, or the classifiers' regions."""
    router = SETTINGS.approaches[wildcards.approach].router
    if router == "constant":
        return []
    if router == "reference":
        return [RESULTS / f"cohorts/{wildcards.cohort}/slices.csv"]
    return [
        RESULTS / "classifiers/selected.yaml",
        *expand(RESULTS / f"classifiers/{{network}}/{wildcards.cohort}.csv", network=NETWORKS),
    ]


def all_scores(wildcards):
    return expand(RESULTS / "scores/{approach}/{cohort}.csv", approach=SETTINGS.approaches, cohort=COHORTS)


onstart:
    missing = [check_folder(name, row) for name, row in COHORTS.items() if not is_demo(name)]
    if any(missing):
        raise WorkflowError(str(CollectedErrors([fault for fault in missing if fault])))
