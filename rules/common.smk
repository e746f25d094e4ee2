"""Configuration, paths and input functions that the other rule files share."""

import os
import sys

from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

LIBRARY = PROJECT / "workflow_scripts"
sys.path.insert(0, str(LIBRARY))

import cmrslices
from cmrslices.cohorts.convert import check_folder, raw_names as names_in
from cmrslices.cohorts.unlabelled import layouts as unlabelled
from cmrslices.config import check_config_files, load_settings
from cmrslices.prediction.bundle import manifest_digest
from cmrslices.prediction.folders import files_digest, folder_of
from cmrslices.runtime import accepted_code, job_plan
from cmrslices.runtime.code_digest import code_digest
from cmrslices.runtime.cores import share_cores
from cmrslices.runtime.errors import CollectedErrors, InputError
from cmrslices.runtime.forced import forget_forced
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
    check_config_files(workflow.configfiles)
    SETTINGS = load_settings(config)
except InputError as fault:
    raise WorkflowError(str(fault)) from None

guard_slurm()

if SETTINGS.shared_cores:
    share_cores(os.environ)

CODE = {}  # script to the digest of its code as it is now, for those of planned jobs

RESULTS = Path(SETTINGS.results)
ACCEPTED = accepted_code.read_accepted(workflow.modifier.modify_path(str(RESULTS / accepted_code.FILE)))
# A relative path, so that a moved clone re-runs nothing.
PAPER = Path(os.path.relpath(PROJECT)) / "resources/paper"
LITERATURE = PAPER.parent / "literature/function.csv"
COHORTS = {name: SETTINGS.cohorts[name].model_dump(exclude={"title"}) for name in SETTINGS.labelled()}
SEGMENTED_BY = SETTINGS.segmented_by()  # the approaches of each cohort without labels
NEW_COHORTS = {
    name: SETTINGS.cohorts[name].model_dump(exclude={"title", "labels", "approaches"})
    for name in SEGMENTED_BY
}
TRAINING = SETTINGS.trained_on()
NETWORKS = list(SETTINGS.classification.networks)
EXTENTS = SETTINGS.extents_read()
HEADS = SETTINGS.heads_read()
# A param that is only there where a head is read, so that tables of other configurations last.
HEADS_READ = {"heads": HEADS} if HEADS else {}
BOUNDS = SETTINGS.bounds()  # of the approaches that name the regions themselves
BASELINE = SETTINGS.baseline()
GIVEN = SETTINGS.given()
BUNDLED = SETTINGS.bundled()
ROUTED = SETTINGS.routed()
# The keys that every training depends on, beside those of its own section.
NUMERICS = {"precision": SETTINGS.precision, "deterministic": SETTINGS.deterministic}
TITLES = {
    "cohorts": {name: SETTINGS.cohorts[name].title for name in COHORTS},
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
    reading="slice|stack",
    chosen="selected|all",
    planner="default|resenc_m|resenc_l",
    configuration="2d|3d_fullres",
    axes="|_3d",
    approach="|".join(SETTINGS.approaches),


def code_of(script):
    """Digest of a script and of the library modules that it imports: a change re-runs the rule, if not accepted.

    It is computed when a job of the rule needs it, because each job on a cluster reads these rule files twice.
    """

    def digest(wildcards):
        if script not in CODE:
            CODE[script] = code_digest(LIBRARY / f"{script}.py")
        return accepted_code.digest_of_results(ACCEPTED, script, CODE[script])

    return digest


def caption(name, category, **labels):
    """Where the report shows an output, and the file of its caption in report/."""
    return dict(caption=f"../report/{name}.rst", category=category, labels=labels)


def paper_table(name):
    """One table of the paper; `local`, so that the prefix of a module is not put before its path."""
    return local(PAPER / f"{name}.csv")


def if_trained(*names):
    """What `rule all` asks for only where networks are trained."""
    return list(names) if TRAINING else []


def if_labelled(*names):
    """What `rule all` asks for only where a cohort has reference labels."""
    return list(names) if COHORTS else []


def is_demo(cohort):
    """Whether the demo makes the raw folder of a cohort."""
    return bool(SETTINGS.demo) and cohort in SETTINGS.demo.patients


def raw_folder(wildcards):
    """The raw folder of a cohort, if it exists.

    The age of a folder of real data does not count: `raw_names` tells whether a case was added or removed. The folder is
    `local`, as the output of make_demo_cohort is, so that the prefix of a module is not put before it.
    """
    folder = local(SETTINGS.cohorts[wildcards.cohort].folder)
    if is_demo(wildcards.cohort):
        return folder
    return ancient(folder) if Path(folder).is_dir() else []


def raw_names(wildcards):
    """The cases in the raw folder of a cohort, so that an added one re-runs the conversion."""
    return [] if is_demo(wildcards.cohort) else names_in(COHORTS[wildcards.cohort])


def new_raw_names(wildcards):
    """The patients in the raw folder of a cohort without labels, so that an added one re-runs the conversion."""
    return [] if is_demo(wildcards.cohort) else unlabelled.raw_names(NEW_COHORTS[wildcards.cohort])


def initial_weights(wildcards):
    """The file that the training of a network starts from: downloaded, in the user's folder, or none."""
    source = SETTINGS.classification.initial_weights
    if source == "none":
        return []
    if source == "imagenet":
        return RESULTS / f"classifiers/imagenet/{wildcards.network}.pth"
    return local(Path(source) / f"{wildcards.network}.pth")


def is_demo_prediction(approach):
    """Whether the demo makes the label maps of an approach."""
    return bool(SETTINGS.demo) and approach in SETTINGS.demo.predictions


def given_folder(wildcards):
    """The folder with the given label maps of one cohort, if it exists.

    The age of a folder of real label maps does not count: `given_files` tells whether one was added or changed.
    """
    predictions = SETTINGS.approaches[wildcards.approach].predictions
    if is_demo_prediction(wildcards.approach):
        return local(Path(predictions) / wildcards.cohort)
    folder = folder_of(predictions, wildcards.cohort)
    return ancient(local(folder)) if folder else []


def given_files(wildcards):
    """Digest of the files of the given label maps, so that an added or a changed one is read."""
    if is_demo_prediction(wildcards.approach):
        return ""
    folder = folder_of(SETTINGS.approaches[wildcards.approach].predictions, wildcards.cohort)
    return files_digest(folder) if folder else ""


def bundle_folder(wildcards):
    """The bundle of an approach, if it exists; its age does not count, `bundle_digest` tells whether it is another one."""
    folder = local(SETTINGS.approaches[wildcards.approach].bundle)
    return ancient(folder) if Path(folder).is_dir() else []


def bundle_digest(wildcards):
    """Digest of a bundle's list of hashes, so that another bundle segments anew."""
    return manifest_digest(SETTINGS.approaches[wildcards.approach].bundle)


def model_weights(wildcards):
    """The weights of each model that an approach routes to."""
    return expand(MODEL_WEIGHTS, model=SETTINGS.approaches[wildcards.approach].models_used())


def base_weights(wildcards):
    """The weights of the model that a model starts from; none for a model that starts from random weights."""
    base = SETTINGS.models[wildcards.model].starts_from
    return MODEL_WEIGHTS.format(model=base) if base else []


def plan_file(planner, configuration):
    """nnU-Net's plans by one of its planners with one of its configurations."""
    is_default = (planner, configuration) == ("default", "2d")
    return PREPROCESSED / (
        "nnUNetPlans.json" if is_default else f"nnUNetPlans_{planner}_{configuration}.json"
    )


def model_plan(wildcards):
    """The plans of a model's planner and configuration."""
    return plan_file(*SETTINGS.models[wildcards.model].plan)


def model_store(wildcards):
    """The preprocessed cases that a model is trained on."""
    return PREPROCESSED / ("store_3d" if SETTINGS.is_3d(wildcards.model) else "store")


def store_plan(wildcards):
    """The plans that a store is preprocessed by: those of the default planner, as all planners plan one store."""
    return plan_file("default", "3d_fullres" if wildcards.axes else "2d")


def cohort_store(cohort, models):
    """A cohort as preprocessed for 2D models; none if all of the models are 3D."""
    return [] if all(map(SETTINGS.is_3d, models)) else RESULTS / f"cohorts/{cohort}/preprocessed"


def cohort_store_3d(cohort, models):
    """A cohort as preprocessed for 3D models; none if none of the models is 3D."""
    return RESULTS / f"cohorts/{cohort}/preprocessed_3d" if any(map(SETTINGS.is_3d, models)) else []


def training_minutes(wildcards):
    """The run time of a segmenter's job: 36 hours, and in proportion more for a model that trains longer than the others."""
    epochs = SETTINGS.training_of(wildcards.model)["epochs"]
    return round(36 * 60 * max(1, epochs / SETTINGS.segmentation.epochs))


def named_regions(approach, cohort):
    """The file with the region of each slice of a cohort as an approach names it without the reference."""
    row = SETTINGS.approaches[approach]
    if (row.reading_folder(), row.mixing) == ("slice_selected", "hard"):  # the paper's
        return RESULTS / f"classifiers/regions/{cohort}.csv"
    return RESULTS / f"regions/{row.reading_folder()}/{cohort}.csv"


def router_regions(wildcards):
    """The file with the region of each slice that an approach's router reads; a constant router reads none."""
    if wildcards.approach in BOUNDS:
        return named_regions(wildcards.approach, wildcards.cohort)
    by_reference = SETTINGS.approaches[wildcards.approach].router == "reference"
    return RESULTS / f"cohorts/{wildcards.cohort}/slices.csv" if by_reference else []


def all_named_regions(wildcards):
    """The files of the regions of each approach that names them itself, in the order of approaches and cohorts."""
    return [named_regions(name, cohort) for name in BOUNDS for cohort in COHORTS]


def selected_network(wildcards):
    """The file that names the selected network, for a reading of this network."""
    return RESULTS / "classifiers/selected.yaml" if wildcards.chosen == "selected" else []


def all_scores(wildcards):
    """The scores of every approach and cohort."""
    return expand(RESULTS / "scores/{approach}/{cohort}.csv", approach=SETTINGS.approaches, cohort=COHORTS)


def of_new_patients(file):
    """A file of every cohort without labels and every approach that segments it."""
    return [
        RESULTS / f"patients/{approach}/{cohort}/{file}"
        for cohort, approaches in SEGMENTED_BY.items()
        for approach in approaches
    ]


def new_patients_title(wildcards):
    """Titles of a cohort without labels and of the approach that segments it."""
    return f"{SETTINGS.cohorts[wildcards.cohort].title}, {TITLES['approaches'][wildcards.approach]}"


def named(cohorts):
    """A pattern for the names of some cohorts; without names, nothing fits."""
    return "|".join(cohorts) or "(?!)"


def flaggable_approaches(cohort):
    """The approaches that segment a cohort."""
    return SEGMENTED_BY.get(cohort, list(SETTINGS.approaches))


def flagged_approaches(cohort):
    """The approaches whose label maps of a cohort are flagged by default."""
    return [name for name in SETTINGS.quality.approaches if name in flaggable_approaches(cohort)]


def found_phases(wildcards):
    """The volumes of a cohort without labels: they say which frames are ED and ES."""
    new = wildcards.cohort in NEW_COHORTS
    return RESULTS / f"patients/{wildcards.approach}/{wildcards.cohort}/volumes.csv" if new else []


def compared_approaches(wildcards):
    """The label maps of all other approaches to a cohort, but for those that know the reference."""
    others = [name for name in flaggable_approaches(wildcards.cohort) if name != wildcards.approach]
    return [
        RESULTS / f"predictions/{name}/{wildcards.cohort}/labels"
        for name in others
        if SETTINGS.approaches[name].router != "reference"
    ]


def weighed_regions(wildcards):
    """The file with the weights of the regions by which an approach routes each slice; none for other approaches."""
    if wildcards.approach not in BOUNDS:
        return []
    return (
        RESULTS / f"regions/{SETTINGS.approaches[wildcards.approach].reading_folder()}/{wildcards.cohort}.csv"
    )


onstart:
    planned = list(workflow.dag.needrun_jobs())
    job_plan.write_plan(".snakemake/cmrslices", planned, CODE)
    forced = [job for job in planned if workflow.dag.reason(job).forced]
    for told in filter(None, (forget_forced(job.rule.name, job.output) for job in forced)):
        logger.info(told)
    missing = [check_folder(name, row) for name, row in COHORTS.items() if not is_demo(name)]
    missing += [
        unlabelled.check_folder(name, row) for name, row in NEW_COHORTS.items() if not is_demo(name)
    ]
    judged = {job.wildcards.approach for job in planned if job.rule.name.endswith("read_predictions")}
    missing += [
        f"approaches.{name}.predictions: the folder {folder.absolute()} does not exist; name the one of the label maps"
        for name in sorted(judged)
        if not (folder := Path(SETTINGS.approaches[name].predictions)).is_dir()
        and not is_demo_prediction(name)
    ]
    opened = {job.wildcards.approach for job in planned if job.rule.name.endswith("_bundled")}
    missing += [
        f"approaches.{name}.bundle: the folder {folder.absolute()} does not exist; name one that bundle.py made"
        for name in sorted(opened)
        if not (folder := Path(SETTINGS.approaches[name].bundle)).is_dir()
    ]
    if any(missing):
        raise WorkflowError(str(CollectedErrors([fault for fault in missing if fault])))
