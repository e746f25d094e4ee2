"""What a run would take: its jobs by Snakemake's own dry run, GPU hours, time and disk as estimates."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from cmrslices.cohorts.convert import FORMATS, check_folder
from cmrslices.cohorts.convert.raw import RawPatient, source_files
from cmrslices.cohorts.unlabelled import layouts
from cmrslices.commands.snakemake_call import Call, dry_run, read_jobs, read_models
from cmrslices.config import Bundled, Given, Settings
from cmrslices.runtime.errors import InputError

# The paper, section 3, "Training": hours on an NVIDIA TITAN RTX.
SEGMENTER_H = 24
SEGMENTER_SLICES = 1000 * 250 * 32  # epochs, mini-batches, slices
CLASSIFIER_H = 42
CLASSIFIER_CASES = 1000 * 3382  # epochs, patients of the training split

# Measured on 20 patients of ACDC, as shares of the size of their raw images and labels.
CONVERTED = 1.0
PREPROCESSED = 4.0
LABELS_SHARE = 0.011

# A segmenter: the 20.6 million parameters of the network that nnU-Net plans for ACDC, each with its momentum,
# in three checkpoints (final, best, latest). A classifier: torchvision's weights, the best epoch's twice, and the
# checkpoint's with Adam's two moments. Parameters in millions from torchvision's documentation.
SEGMENTER_BYTES = 20.6e6 * 4 * 2 * 3
CLASSIFIER_COPIES = 6
CLASSIFIER_PARAMETERS_M = {
    "alexnet": 61.1,
    "densenet121": 8.0,
    "mobilenet_v2": 3.5,
    "resnet18": 11.7,
    "shufflenet_v2_x1_0": 2.3,
    "squeezenet1_0": 1.2,
    "vgg11_bn": 132.9,
}


def hours_per_job(settings: Settings, training_patients: int | None) -> dict[str, float]:
    """GPU hours of one job of each training rule, by the paper's hours for its sizes.

    For a model with epochs of its own see `segmenter_hours`.

    Parameters
    ----------
    settings : Settings
        Epochs, mini-batches and batch size scale a segmenter, epochs and patients a classifier.
    training_patients : int or None
        Of the training split; None: as many as in the paper.
    """
    segmentation, classification = settings.segmentation, settings.classification
    slices = segmentation.epochs * segmentation.iterations_per_epoch * segmentation.batch_size
    cases = classification.epochs * (training_patients or CLASSIFIER_CASES / 1000)
    return {
        "train_segmenter": SEGMENTER_H * slices / SEGMENTER_SLICES,
        "train_classifier": CLASSIFIER_H * cases / CLASSIFIER_CASES,
    }


def segmenter_hours(settings: Settings, models: Sequence[str]) -> list[float]:
    """GPU hours of each model's training, by its epochs and batch size.

    Parameters
    ----------
    settings : Settings
    models : sequence of str
        Models of nnU-Net's default 2D network, whose hours the paper gives.
    """
    per_slice = SEGMENTER_H / SEGMENTER_SLICES * settings.segmentation.iterations_per_epoch
    trainings = [settings.training_of(model) for model in models]
    return [per_slice * training["epochs"] * training["batch_size"] for training in trainings]


def other_networks(settings: Settings, models: Sequence[str]) -> list[str]:
    """Models in 3D or with a residual encoder, of which the paper gives neither hours nor sizes."""
    return [name for name, row in settings.models.items() if name in models and row.plan != ("default", "2d")]


def wall_hours(jobs: Sequence[float], at_once: int) -> float:
    """Hours until the last of some jobs ends, the longest started first.

    Parameters
    ----------
    jobs : sequence of float
        Hours of each.
    at_once : int
        Jobs that run side by side.
    """
    ends = [0.0] * at_once
    for hours in sorted(jobs, reverse=True):
        ends[ends.index(min(ends))] += hours
    return max(ends)


@dataclass(frozen=True)
class Raw:
    """What lies in a cohort's raw folder.

    Attributes
    ----------
    patients : int
    size_bytes : int
        Of the files that conversion reads.
    """

    patients: int
    size_bytes: int


def look_at(cohort: dict) -> Raw | None:
    """Count what a raw folder holds; None where nothing can be found in it.

    Parameters
    ----------
    cohort : dict
        Row of the configuration.
    """
    if not Path(cohort["folder"]).is_dir():
        return None
    is_labelled = cohort.get("labels", "given") == "given"
    try:
        found = FORMATS[cohort["format"]].find_patients(cohort) if is_labelled else layouts.find_patients(cohort)
    except InputError:
        return None
    patients = [patient for patient in found if patient.name not in cohort["exclude"]]
    files = {file for patient in patients for file in _files_of(patient)}
    return Raw(len(patients), sum(file.stat().st_size for file in files if file.is_file()))


def _files_of(patient: RawPatient) -> list[Path]:
    return layouts.files_of(patient) if isinstance(patient, layouts.NewPatient) else source_files(patient)


def training_share(settings: Settings) -> tuple[float, float]:
    """Shares of the training cohort's patients to train on, and of those to train and validate on."""
    splits = settings.splits
    total = splits.train + splits.validation + splits.test
    return splits.train / total, (splits.train + splits.validation) / total


def training_patients(settings: Settings, training: Raw | None) -> int | None:
    """Number of patients to train on; None where nothing tells it.

    Parameters
    ----------
    settings : Settings
    training : Raw or None
        What lies in the raw folder of the training cohort.
    """
    if isinstance(settings.splits.train, int):
        return settings.splits.train
    return round(training.patients * training_share(settings)[0]) if training else None


def approach_hours(settings: Settings, training_patients: int | None) -> dict[str, tuple[float | None, float]]:
    """GPU hours of everything that is trained for each approach: of its segmenters, and of the classifiers.

    A model counts for every approach that it is trained for. An approach that reads the classifiers needs all of them,
    because one of them is selected. The hours of segmenters are None where the paper gives none for one of them, see
    `other_networks`.

    Parameters
    ----------
    settings, training_patients
        As `hours_per_job` takes them.
    """
    each = hours_per_job(settings, training_patients)["train_classifier"]
    classifiers = dict.fromkeys(settings.classified(), each * len(settings.classification.networks))
    models = {name: settings.models_of(name) for name in settings.approaches}
    return {
        name: (
            None if other_networks(settings, own) else sum(segmenter_hours(settings, own)),
            classifiers.get(name, 0.0),
        )
        for name, own in models.items()
    }


def disk_bytes(settings: Settings, jobs: dict[str, int], raw: dict[str, Raw | None]) -> dict[str, float]:
    """Disk that the outputs of some jobs take, at most, by what they are.

    Parameters
    ----------
    settings : Settings
    jobs : dict of rule to number of jobs
        What has none needs nothing.
    raw : dict of cohort to `Raw` or None
        None is not counted.
    """
    sizes = {name: found.size_bytes if found else 0 for name, found in raw.items()}
    of_training = sizes.get(settings.trained_on() or "", 0)
    given, bundled = len(settings.given()), len(settings.bundled())
    networks = settings.classification.networks
    largest = max(CLASSIFIER_PARAMETERS_M.values())
    parameters = sum(CLASSIFIER_PARAMETERS_M.get(name, largest) for name in networks) * 1e6
    parts = {
        "convert_cohort": ("converted cohorts", CONVERTED * sum(sizes.values())),
        "preprocess_segmentation": (
            "nnU-Net's store",
            PREPROCESSED * of_training * training_share(settings)[1],
        ),
        "preprocess_cohort": (
            "preprocessed cohorts",
            PREPROCESSED * (sum(sizes.values()) - of_training * training_share(settings)[0]),
        ),
        "predict": ("predictions", LABELS_SHARE * sum(sizes.values()) * len(settings.routed())),
        "read_predictions": ("given label maps", LABELS_SHARE * sum(sizes.values()) * given),
        "preprocess_bundled": ("cohorts preprocessed for bundles", PREPROCESSED * sum(sizes.values()) * bundled),
        "predict_bundled": ("predictions by bundles", LABELS_SHARE * sum(sizes.values()) * bundled),
        "train_segmenter": ("segmenters and their checkpoints", SEGMENTER_BYTES * jobs.get("train_segmenter", 0)),
        "train_classifier": ("classifiers and their checkpoints", CLASSIFIER_COPIES * 4 * parameters),
    }
    return {name: size for rule, (name, size) in parts.items() if jobs.get(rule) and size}


def describe(call: Call) -> str:
    """Lay out as text what a call would run, what that takes, and what is missing."""
    printed = dry_run(call)
    jobs = read_jobs(printed)
    if not jobs:
        return "Nothing to be done: every result is there and up to date."
    settings = call.settings
    made = settings.demo.patients if settings.demo else {}
    rows = {
        name: row.model_dump() | {"folder": str(call.folder / row.folder)}
        for name, row in settings.cohorts.items()
        if name not in made
    }
    raw = {name: look_at(row) for name, row in rows.items()} | {name: Raw(count, 0) for name, count in made.items()}
    trained = (read_models(printed) or settings.models_used()) if jobs.get("train_segmenter") else []
    training = raw.get(settings.trained_on() or "")
    parts = [
        f"Jobs to run\n\n{_table([*jobs.items(), ('together', sum(jobs.values()))], ['rule', 'jobs'])}",
        _gpu_text(call, jobs, read_models(printed), training),
        *_approaches_texts(settings, training),
        _disk_text(
            disk_bytes(settings, jobs, raw),
            [name for name in rows if not raw[name]],
            made,
            other_networks(settings, trained),
        ),
        _missing_text([*missing(settings, rows), *missing_folders(settings, call.folder)]),
    ]
    return "\n\n".join(parts)


def missing(settings: Settings, cohorts: dict[str, dict]) -> list[str]:
    """Say what is not where the configuration says: raw folders and initial weights.

    Parameters
    ----------
    settings : Settings
    cohorts : dict of name to row
        Without those that the demo makes.
    """
    checks = {name: check_folder if settings.cohorts[name].is_labelled else layouts.check_folder for name in cohorts}
    faults = [fault for name, row in cohorts.items() if (fault := checks[name](name, row))]
    source = settings.classification.initial_weights
    if settings.trained_on() and source not in {"imagenet", "none"}:
        files = [Path(source) / f"{network}.pth" for network in settings.classification.networks]
        faults += [f"classification.initial_weights: no file {file}" for file in files if not file.is_file()]
    return faults


def missing_folders(settings: Settings, folder: Path) -> list[str]:
    """Say which approaches have no folder of label maps, apart from those that the demo makes, or no bundle.

    Parameters
    ----------
    settings : Settings
    folder : Path
        From which relative paths start.
    """
    made = settings.demo.predictions if settings.demo else {}
    named = {
        f"{name}.predictions": folder / row.predictions
        for name, row in settings.approaches.items()
        if isinstance(row, Given) and name not in made
    }
    named |= {
        f"{name}.bundle": folder / row.bundle for name, row in settings.approaches.items() if isinstance(row, Bundled)
    }
    return [
        f"approaches.{key}: the folder {place} does not exist" for key, place in named.items() if not place.is_dir()
    ]


def _gpu_text(call: Call, jobs: dict[str, int], models: Sequence[str], training: Raw | None) -> str:
    settings = call.settings
    patients = training_patients(settings, training)
    # Where Snakemake printed no rules, the longest trainings that can be meant are taken.
    meant = models or (settings.models_used() if jobs.get("train_segmenter") else [])
    unknown = other_networks(settings, meant)
    segmenters = segmenter_hours(settings, [model for model in meant if model not in unknown])
    segmenters = segmenters if models else sorted(segmenters)[::-1][: jobs.get("train_segmenter", 0)]
    classifier = hours_per_job(settings, patients)["train_classifier"]
    each = [("train_segmenter", hours) for hours in segmenters]
    each += [("train_classifier", classifier)] * jobs.get("train_classifier", 0)
    apart = (
        f"\nNot counted: {', '.join(unknown)}, in 3D or with a residual encoder, of which the paper\n"
        "gives no hours. After a few of their epochs, workflow_scripts/training_status.py shows the time left."
        if unknown
        else ""
    )
    if not each:
        return f"GPU hours: no training {'of known hours ' if unknown else ''}is to be run.{apart}"
    rows = [[rule, count, _hours(hours), _hours(hours * count)] for (rule, hours), count in Counter(each).items()]
    every = [hours for _, hours in each]
    rows.append(["together", len(every), "", _hours(sum(every))])
    at_once = call.gpu_jobs or 1
    wall = wall_hours(every, at_once)
    limit = "as `gpu` in resources says" if call.gpu_jobs else "assumed: `gpu` in resources says nothing"
    about = f"{patients} training patients" if patients else "as many training patients as in the paper"
    return (
        f"GPU hours, an estimate\n\n{_table(rows, ['rule', 'jobs', 'each', 'together'])}\n\n"
        f"On a TITAN RTX: the paper's {SEGMENTER_H} h for a segmenter, scaled by epochs, mini-batches and batch size,\n"
        f"and {CLASSIFIER_H} h for a classifier, scaled by epochs and {about}. Not scaled by\n"
        "nnU-Net's plan, image size or precision; without predictions, and as if no training had a checkpoint.\n"
        f"Trainings end after {_hours(wall)} with {at_once} at once ({limit}), time in the queue apart."
        f"{apart}"
    )


def _approaches_texts(settings: Settings, training: Raw | None) -> list[str]:
    """The table of the approaches; none where nothing is trained."""
    if not settings.trained_on():
        return []
    patients = training_patients(settings, training)
    slices, controls = settings.trained_slices(), settings.controls()
    baseline = slices[settings.baseline()]
    told = {name: "itself" if control == name else control or "none" for name, control in controls.items()}
    rows = [
        [name, _times(slices[name], baseline), *map(_hours_or_nothing, hours), told.get(name, "")]
        for name, hours in approach_hours(settings, patients).items()
    ]
    titles = ["approach", "times the baseline's slices", "segmenters", "classifiers", "matched control"]
    return [
        f"GPU hours of each approach, an estimate as above\n\n{_table(rows, titles)}\n\n"
        "All that must be trained for an approach, whether it is finished or not. A model that several approaches\n"
        "need counts for each of them, so that the rows do not add up. A matched control sends every slice to one\n"
        "model with uniform sampling, starts from the same weights, and sees as many slices within 5 %."
    ]


def _disk_text(sizes: dict[str, float], unseen: list[str], made: dict[str, int], larger: list[str]) -> str:
    rows = [*sizes.items(), ("together", sum(sizes.values()))]
    table = _table([[name, _bytes(size)] for name, size in rows], ["outputs", "at most"])
    apart = f" Not counted, for they are not there: raw data of {', '.join(unseen)}." if unseen else ""
    apart += f" Not counted: the demo's cohorts {', '.join(made)}." if made else ""
    apart += f" Not counted: what {', '.join(larger)} take beyond the other models." if larger else ""
    return f"Disk, an estimate\n\n{table}\n\nBy the size of the raw files that conversion reads.{apart}"


def _missing_text(faults: list[str]) -> str:
    return "\n".join(["Missing", "", *faults]) if faults else "Missing: nothing"


def _table(rows: Sequence[Sequence], columns: list[str]) -> str:
    aligned = ["left"] + ["right"] * (len(columns) - 1)
    return tabulate(rows, columns, tablefmt="simple", colalign=aligned, disable_numparse=True)


def _times(slices: int | None, baseline: int | None) -> str:
    return f"{slices / baseline:.2f}" if slices and baseline else "unknown"


def _hours_or_nothing(hours: float | None) -> str:
    if hours is None:
        return "unknown"
    return _hours(hours) if hours else ""


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} min"


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
